import { type FileIdentity, sameContentVersion } from '../../model/file-identity.ts';
import type { RelPath } from '../../model/rel-path.ts';
import type { ListedFile } from '../../scanner/listed-file.ts';

/** Files remembered, a directory. 400 bytes each. */
const MAX_FUTURE_MARKS = 100_000;

/** The marks of one inode, one right after the other: nothing else has changed it in between. */
interface Chain {
  /** Of the inode after the last mark. */
  ctimeMs: number;
}

/**
 * Marks that this scan has set on files whose mtime lies in the future, which listings do not believe. One inode may have
 * several names (hard links): the mark of the one changes the ctime of all, and must not make the others look written to.
 */
export class FutureMarks {
  readonly #chains = new Map<string, Chain>();
  readonly #files = new Map<RelPath, { readonly identity: FileIdentity; readonly chain: Chain }>();

  /** Whether the file is as it was when it was marked. */
  has({ entry, identity }: ListedFile): boolean {
    const known = this.#files.get(entry.path);
    return (
      known !== undefined &&
      sameContentVersion(known.identity, identity) &&
      known.chain.ctimeMs === identity.ctimeMs
    );
  }

  /** `file` as it was read, `marked` as it is with its mark. Returns false where there is no room to remember it. */
  add({ entry, identity }: ListedFile, marked: FileIdentity): boolean {
    if (this.#files.size >= MAX_FUTURE_MARKS && !this.#files.has(entry.path)) return false;
    const inode = `${identity.dev} ${identity.ino}`;
    const known = this.#chains.get(inode);
    const chain = known?.ctimeMs === identity.ctimeMs ? known : { ctimeMs: 0 };
    chain.ctimeMs = marked.ctimeMs;
    this.#chains.set(inode, chain);
    this.#files.set(entry.path, { identity: marked, chain });
    return true;
  }

  forget({ entry, identity }: ListedFile): void {
    if (this.#files.size === 0) return;
    this.#files.delete(entry.path);
    this.#chains.delete(`${identity.dev} ${identity.ino}`);
  }
}
