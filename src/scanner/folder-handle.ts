import { opendirSync, type Dir } from 'node:fs';

/** Entries that Node fetches at a time. More is hardly faster, and each open folder holds so many in memory. */
const READ_AHEAD = 64;

export interface FolderEntry {
  /** As the disk holds it: not necessarily UTF-8. */
  readonly name: Buffer;
  readonly isFolder: boolean;
  /** A regular one. */
  readonly isFile: boolean;
}

/** An open folder, read entry by entry with bounded memory. All is synchronous and throws Node's errors. */
export class FolderHandle {
  readonly #dir: Dir;

  constructor(path: string) {
    // @ts-expect-error 'buffer' is missing in the types; Node takes it here as it does for readdir.
    this.#dir = opendirSync(path, { encoding: 'buffer', bufferSize: READ_AHEAD });
  }

  /** Undefined at the end. */
  read(): FolderEntry | undefined {
    const entry = this.#dir.readSync();
    if (entry === null) return undefined;
    const name: unknown = entry.name;
    if (!Buffer.isBuffer(name)) throw new TypeError('a folder opened for bytes was read as text');
    return { name, isFolder: entry.isDirectory(), isFile: entry.isFile() };
  }

  close(): void {
    this.#dir.closeSync();
  }
}
