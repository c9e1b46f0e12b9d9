import { randomUUID } from 'node:crypto';
import { open, readdir, rmdir, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { TaskGroup } from '../../flow/task-group.ts';
import { errnoOf, IsyncError } from '../../model/isync-error.ts';
import { BlockCache } from './block-cache.ts';
import { GrowingFile } from './growing-file.ts';
import { makeFolder } from './make-folder.ts';
import { Room } from './room.ts';
import type { Spool, SpoolFile } from './spool.ts';
import { spoolError } from './spool-errors.ts';

/** Begins the names of our files, which they have from their making to their opening: a folder like /tmp has others, too. */
const NAME = 'isync-spool-';
/** How long the readers of a body that has come keep its room when another body needs it, in ms: it is in the bucket by then. */
const READERS_MS = 60_000;

export interface SpoolOptions {
  /** Is made where it is missing, and removed again at the end then. Several processes may have the same one. */
  readonly folder: string;
  /** Most that all bodies may have, in bytes. */
  readonly maxBytes: number;
  /** Less than {@link READERS_MS}, for tests. */
  readonly readersMs?: number | undefined;
}

/** @throws IsyncError where the folder can not be used */
export async function openSpool(options: SpoolOptions): Promise<Spool> {
  const { folder } = options;
  try {
    const made = await makeFolder(folder);
    await checkWritable(folder);
    // Only those of killed processes have a name, and those that get one this moment, which do without it.
    for (const name of await readdir(folder)) if (name.startsWith(NAME)) await removeFile(join(folder, name));
    return new FolderSpool(options, made);
  } catch (error) {
    throw spoolError(error, folder);
  }
}

class FolderSpool implements Spool {
  readonly maxBytes: number;
  readonly #folder: string;
  readonly #readersMs: number;
  readonly #isOurs: boolean;
  readonly #room: Room;
  readonly #cache = new BlockCache();
  readonly #files = new Set<GrowingFile>();
  readonly #closing = new TaskGroup();
  #opened = 0;
  #isClosed = false;

  constructor({ folder, maxBytes, readersMs = READERS_MS }: SpoolOptions, isOurs: boolean) {
    this.#folder = folder;
    this.maxBytes = maxBytes;
    this.#readersMs = readersMs;
    this.#isOurs = isOurs;
    this.#room = new Room(maxBytes);
  }

  get usedBytes(): number {
    return this.#room.usedBytes;
  }

  async open(size: number | undefined, maxSize: number): Promise<SpoolFile | undefined> {
    // A body of unknown length that finds no room at all need not begin.
    const least = size ?? 1;
    if (this.#lacks(least) > 0) await this.#cutReaders(least);
    if (this.#isClosed) throw new IsyncError('INTERRUPTED', 'the spool is closed');
    if (this.#lacks(least) > 0) return undefined;
    const taken = size ?? 0;
    this.#room.take(taken);
    const file: GrowingFile = new GrowingFile({
      id: this.#opened++,
      folder: this.#folder,
      path: join(this.#folder, `${NAME}${randomUUID()}`),
      limit: size ?? maxSize,
      isExact: size !== undefined,
      taken,
      room: this.#room,
      cache: this.#cache,
      closed: () => this.#files.delete(file),
      closes: (closing) => this.#closing.add(closing),
    });
    this.#files.add(file);
    return file;
  }

  #lacks(bytes: number): number {
    return this.usedBytes + bytes - this.maxBytes;
  }

  /** Else two clients that read as slowly as they may could hold all room for days. */
  async #cutReaders(bytes: number): Promise<void> {
    let lacking = this.#lacks(bytes);
    const slow: GrowingFile[] = [];
    for (const file of this.#files) {
      if (lacking <= 0) break;
      if (file.readOnlyMs < this.#readersMs) continue;
      lacking -= file.taken;
      slow.push(file);
    }
    if (lacking > 0) return;
    const why = new IsyncError('STORE_FULL', 'another body needs the room of one that is read too slowly');
    for (const file of slow) file.shut(why);
    await this.#closing.idle();
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

/** A setting that is wrong is told at the start, not to the first client. */
async function checkWritable(folder: string): Promise<void> {
  const path = join(folder, `${NAME}${randomUUID()}`);
  await (await open(path, 'wx', 0o600)).close();
  await removeFile(path);
}

/** Leaves alone what is another user's, as anybody may put into /tmp, and what is no file: it is no obstacle. */
async function removeFile(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (error) {
    if (!['ENOENT', 'EPERM', 'EACCES', 'EISDIR'].includes(errnoOf(error) ?? '')) throw error;
  }
}
