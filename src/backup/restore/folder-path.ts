import { pathBytes } from '../list/escaped-name.ts';
import type { OpenFolder } from './open-folder.ts';

interface Entered<Note> {
  readonly segment: string;
  readonly folder: OpenFolder;
  note: Note | undefined;
}

export interface FolderPathOptions<Note> {
  /** Opens a folder in another one. */
  readonly open: (parent: OpenFolder, name: Buffer) => OpenFolder;
  /** Called when the path leaves a folder: all members in it have been. It is valid until the call returns, unless it is retained. */
  readonly onLeave?: (folder: OpenFolder, note: Note | undefined) => void;
}

/** The open folders from the root down to where a walk of records is, which come in the order of comparePaths. */
export class FolderPath<Note = never> implements Disposable {
  readonly #root: OpenFolder;
  readonly #options: FolderPathOptions<Note>;
  readonly #entered: Entered<Note>[] = [];

  /** @param root stays the caller's */
  constructor(root: OpenFolder, options: FolderPathOptions<Note>) {
    this.#root = root;
    this.#options = options;
  }

  /** The folder that a member is in, valid until the next call, and its name there. */
  toParentOf(path: string): { readonly folder: OpenFolder; readonly name: Buffer } {
    const segments = path.split('/');
    const name = segments.pop() ?? '';
    return { folder: this.#to(segments), name: pathBytes(name) };
  }

  /** The folder at `path` itself. */
  into(path: string, note?: Note): OpenFolder {
    const folder = this.#to(path.split('/'));
    const last = this.#entered.at(-1);
    if (last !== undefined) last.note = note;
    return folder;
  }

  /** Leaves all folders. */
  end(): void {
    while (this.#entered.length > 0) this.#leave();
  }

  /** Closes all folders, and tells of none. */
  [Symbol.dispose](): void {
    for (const { folder } of this.#entered.splice(0)) folder.release();
  }

  #to(segments: readonly string[]): OpenFolder {
    const common = segments.findIndex((segment, index) => this.#entered[index]?.segment !== segment);
    const kept = common < 0 ? segments.length : common;
    while (this.#entered.length > kept) this.#leave();
    for (const segment of segments.slice(kept)) {
      const folder = this.#options.open(this.#here, pathBytes(segment));
      this.#entered.push({ segment, folder, note: undefined });
    }
    return this.#here;
  }

  get #here(): OpenFolder {
    return this.#entered.at(-1)?.folder ?? this.#root;
  }

  #leave(): void {
    const left = this.#entered.pop();
    if (left === undefined) return;
    try {
      this.#options.onLeave?.(left.folder, left.note);
    } finally {
      left.folder.release();
    }
  }
}
