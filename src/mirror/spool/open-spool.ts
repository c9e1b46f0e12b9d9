import { randomUUID } from 'node:crypto';
import { mkdir, readdir, rmdir, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { TaskGroup } from '../../flow/task-group.ts';
import { errnoOf, IsyncError } from '../../model/isync-error.ts';
import { BlockCache } from './block-cache.ts';
import { GrowingFile } from './growing-file.ts';
import { Room } from './room.ts';
import type { Spool, SpoolFile } from './spool.ts';
import { spoolError } from './spool-errors.ts';

/** Begins the names of our files, which they have from their making to their opening: a folder like /tmp has others, too. */
const NAME = 'isync-spool-';

export interface SpoolOptions {
  /** Is made where it is missing, and removed again at the end then. Several processes may have the same one. */
  readonly folder: string;
  /** Most that all bodies may have, in bytes. */
  readonly maxBytes: number;
}

/** @throws IsyncError where the folder can not be used */
export async function openSpool({ folder, maxBytes }: SpoolOptions): Promise<Spool> {
  try {
    const made = await mkdir(folder, { recursive: true, mode: 0o700 });
    // Only those of killed processes have a name, and those that get one this moment, which do without it.
    for (const name of await readdir(folder)) if (name.startsWith(NAME)) await removeFile(join(folder, name));
    return new FolderSpool(folder, maxBytes, made !== undefined);
  } catch (error) {
    throw spoolError(error, folder);
  }
}

class FolderSpool implements Spool {
  readonly maxBytes: number;
  readonly #folder: string;
  readonly #isOurs: boolean;
  readonly #room: Room;
  readonly #cache = new BlockCache();
  readonly #files = new Set<GrowingFile>();
  readonly #closing = new TaskGroup();
  #opened = 0;
  #isClosed = false;

  constructor(folder: string, maxBytes: number, isOurs: boolean) {
    this.#folder = folder;
    this.maxBytes = maxBytes;
    this.#isOurs = isOurs;
    this.#room = new Room(maxBytes);
  }

  get usedBytes(): number {
    return this.#room.usedBytes;
  }

  async open(size: number | undefined, maxSize: number): Promise<SpoolFile | undefined> {
    if (this.#isClosed) throw new IsyncError('INTERRUPTED', 'the spool is closed');
    const taken = size ?? 0;
    if (!this.#room.take(taken)) return undefined;
    // A body of unknown length that finds no room at all need not begin.
    if (size === undefined && this.usedBytes >= this.maxBytes) return undefined;
    const file: GrowingFile = new GrowingFile({
      id: this.#opened++,
      folder: this.#folder,
      path: join(this.#folder, `${NAME}${randomUUID()}`),
      limit: size ?? maxSize,
      taken,
      room: this.#room,
      cache: this.#cache,
      closed: () => this.#files.delete(file),
      closes: (closing) => this.#closing.add(closing),
    });
    this.#files.add(file);
    return file;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    for (const file of this.#files) file.shut(new IsyncError('INTERRUPTED', 'the spool is closed'));
    await this.#closing.idle();
    if (!this.#isOurs) return;
    await rmdir(this.#folder).catch(() => {
      // Somebody else has put something there.
    });
  }
}

async function removeFile(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
  }
}
