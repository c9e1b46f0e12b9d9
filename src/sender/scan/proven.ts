import type { RelPath } from '../../model/rel-path.ts';
import { Fingerprint } from '../../scanner/fingerprint.ts';
import type { ListedFile } from '../../scanner/listed-file.ts';

/** Files remembered as proven, a directory: about 60 bytes each. Of more, each check compares all. */
const MAX_PROVEN = 1_000_000;

/**
 * The version of each file of a directory that one incarnation of the target has for certain: it has confirmed it to this scan,
 * or was asked. Where the target lists a file of that size it needs no more questions: a target may be unable to keep an mtime
 * (FAT rounds to 2 s), or to list one (a bucket).
 */
export class Proven {
  #incarnation: string | undefined;
  /** By hash of the path. Only the latest: what was there before it may come back here, and not at the target. */
  readonly #versions = new Map<number, number>();

  has(file: ListedFile, incarnation: string): boolean {
    return this.#incarnation === incarnation && this.#versions.get(hash(file.entry.path)) === versionOf(file);
  }

  /** What another incarnation has confirmed counts no more. */
  add(file: ListedFile, incarnation: string): void {
    if (this.#incarnation !== incarnation) this.#versions.clear();
    this.#incarnation = incarnation;
    const path = hash(file.entry.path);
    if (this.#versions.size < MAX_PROVEN || this.#versions.has(path))
      this.#versions.set(path, versionOf(file));
  }
}

function versionOf({ entry, identity }: ListedFile): number {
  return hash(entry.path, entry.size, entry.mtimeUs, identity.ino);
}

/** Two things share one by a chance of 2^-52. */
function hash(path: RelPath, ...numbers: readonly number[]): number {
  const print = new Fingerprint();
  print.add(path, ...numbers);
  return print.toNumber();
}
