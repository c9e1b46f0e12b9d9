import { createHash, type Hash } from 'node:crypto';
import { type FileHandle, open, readdir, readFile, rm, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { TaskGroup } from '../../flow/task-group.ts';
import { errnoOf, IsyncError } from '../../model/isync-error.ts';
import { ensureFolder } from '../../sqlite/state-folder.ts';
import type { PackedPart } from '../state/job-state.ts';

/** Name in the folder of the job: a folder for each version, with a file for each part. */
const SPOOL = 'spool';
/** Digits of the name of a part: an upload has 10,000 at most. */
const DIGITS = 5;

export interface SpoolOptions {
  /** Of the job. */
  readonly stateDir: string;
  readonly version: number;
  /** Of parts in it, in bytes. One part may always lie there. */
  readonly mostBytes: number;
  /** Called when there is more room. */
  readonly onRoom: () => void;
}

/** Where the parts of one version lie. */
export function spoolFolder(stateDir: string, version: number): string {
  return join(stateDir, SPOOL, String(version));
}

/**
 * Parts of one archive, files of the folder `spool/VERSION`, each until everybody that it is held for has released it. They are not
 * synced: what a power cut takes is packed again. Every call rejects with an IsyncError.
 */
export class Spool implements AsyncDisposable {
  readonly #folder: string;
  readonly #mostBytes: number;
  readonly #onRoom: () => void;
  readonly #held = new Map<number, { readonly size: number; readonly holders: Set<object> }>();
  readonly #removals = new TaskGroup();
  #bytes = 0;

  private constructor(folder: string, { mostBytes, onRoom }: SpoolOptions) {
    this.#folder = folder;
    this.#mostBytes = mostBytes;
    this.#onRoom = onRoom;
  }

  /** The folder is made where it is missing, and what lies there stays. */
  static async open(options: SpoolOptions): Promise<Spool> {
    const { stateDir, version } = options;
    const folder = spoolFolder(stateDir, version);
    await ensureFolder(join(stateDir, SPOOL));
    await ensureFolder(folder);
    return new Spool(folder, options);
  }

  /** Whether a part of `bytes` may be written beside those that are held. */
  hasRoom(bytes: number): boolean {
    return this.#bytes === 0 || this.#bytes + bytes <= this.#mostBytes;
  }

  /** Begins the file of a part, over what there is of that number. */
  async create(number: number): Promise<SpoolFile> {
    const path = this.#pathOf(number);
    return await guarded(path, async () => new SpoolFile(path, number, await open(path, 'w', 0o600)));
  }

  /** The part is whole, and stays until each of `holders` has released it. */
  hold({ number, size }: PackedPart, holders: Iterable<object>): void {
    const held = new Set(holders);
    this.#bytes += size;
    this.#held.set(number, { size, holders: held });
    if (held.size === 0) this.#remove(number);
  }

  release(number: number, holder: object): void {
    const holders = this.#held.get(number)?.holders;
    if (holders?.delete(holder) === true && holders.size === 0) this.#remove(number);
  }

  releaseAll(holder: object): void {
    for (const number of this.#held.keys()) this.release(number, holder);
  }

  /**
   * A part that is held.
   * @param room where it is read to, as long as it at least
   */
  async read({ number, size }: PackedPart, room: Buffer): Promise<Buffer> {
    const path = this.#pathOf(number);
    const isWhole = await guarded(path, async () => {
      await using file = await open(path);
      let done = 0;
      while (done < size) {
        const { bytesRead } = await file.read(room, done, size - done, done);
        if (bytesRead === 0) return false;
        done += bytesRead;
      }
      return (await file.stat()).size === size;
    });
    if (isWhole) return room.subarray(0, size);
    throw new IsyncError('STORE_FAILED', 'a part in the spool has another length than was written', { path });
  }

  /** Numbers of those parts whose bytes are there. All other files are removed. */
  async keep(parts: Iterable<PackedPart>): Promise<ReadonlySet<number>> {
    const kept = new Set<number>();
    for (const part of parts) if (await this.#has(part)) kept.add(part.number);
    const names = new Set([...kept].map(nameOf));
    await guarded(this.#folder, async () => {
      for (const name of await readdir(this.#folder))
        if (!names.has(name)) await rm(join(this.#folder, name), { recursive: true });
    });
    return kept;
  }

  /** Removes the folder and all that is in it. */
  async remove(): Promise<void> {
    await this.#removals.idle();
    await guarded(this.#folder, async () => await rm(this.#folder, { recursive: true, force: true }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#removals.idle();
  }

  async #has(part: PackedPart): Promise<boolean> {
    try {
      const bytes = await readFile(this.#pathOf(part.number));
      return bytes.length === part.size && createHash('md5').update(bytes).digest('hex') === part.md5;
    } catch {
      // Whatever is wrong with it, it is packed again.
      return false;
    }
  }

  /** The room is free once the file is gone. One that can't be removed goes with the folder. */
  #remove(number: number): void {
    const size = this.#held.get(number)?.size ?? 0;
    this.#held.delete(number);
    const removal = unlink(this.#pathOf(number))
      .catch(() => undefined)
      .then(() => {
        this.#bytes -= size;
        this.#onRoom();
      });
    this.#removals.add(removal);
  }

  #pathOf(number: number): string {
    return join(this.#folder, nameOf(number));
  }
}

/** A part that is being written. */
export class SpoolFile {
  readonly number: number;
  readonly #path: string;
  readonly #file: FileHandle;
  readonly #md5: Hash = createHash('md5');
  #size = 0;

  constructor(path: string, number: number, file: FileHandle) {
    this.#path = path;
    this.number = number;
    this.#file = file;
  }

  get size(): number {
    return this.#size;
  }

  async append(bytes: Uint8Array): Promise<void> {
    this.#md5.update(bytes);
    await guarded(this.#path, async () => {
      for (let done = 0; done < bytes.length;) {
        const { bytesWritten } = await this.#file.write(bytes, done, bytes.length - done);
        done += bytesWritten;
      }
    });
    this.#size += bytes.length;
  }

  /** Once. */
  async end(): Promise<PackedPart> {
    await this.close();
    return { number: this.number, size: this.#size, md5: this.#md5.digest('hex') };
  }

  async close(): Promise<void> {
    await guarded(this.#path, async () => await this.#file.close());
  }
}

function nameOf(number: number): string {
  return String(number).padStart(DIGITS, '0');
}

async function guarded<T>(path: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    const errno = errnoOf(error);
    const code = errno === 'ENOSPC' || errno === 'EDQUOT' ? 'STORE_FULL' : 'STORE_FAILED';
    throw new IsyncError(code, `the spool fails (${errno ?? String(error)})`, {
      path,
      cause: error,
      hint: 'Parts lie there until every target has them: make room for as much as spool.max, or lower it.',
    });
  }
}
