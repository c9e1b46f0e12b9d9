import { createHash } from 'node:crypto';
import { type FileHandle, open, unlink } from 'node:fs/promises';
import { errnoOf, IsyncError } from '../../model/isync-error.ts';
import { BLOCK_BYTES, type BlockCache } from './block-cache.ts';
import { makeFolder } from './make-folder.ts';
import type { Room } from './room.ts';
import type { SpoolFile } from './spool.ts';
import { noRoom, spoolError, tooLong } from './spool-errors.ts';
import { type ReadableBody, SpoolReader } from './spool-reader.ts';
import { WaitingReaders } from './waiting-readers.ts';

/** A body of unknown length takes its room in steps of so many bytes. */
const STEP_BYTES = 1024 * 1024;

export interface GrowingFileOptions {
  readonly id: number;
  readonly folder: string;
  /** Where the file has a name for a moment. */
  readonly path: string;
  /** Bytes that it may have. */
  readonly limit: number;
  /** Whether it is to have just as many. */
  readonly isExact: boolean;
  /** Bytes of {@link room} that it has taken so far. */
  readonly taken: number;
  readonly room: Room;
  readonly cache: BlockCache;
  /** Called once. */
  readonly closed: () => void;
  /** Gets what the closing waits for, which never rejects. */
  readonly closes: (closing: Promise<void>) => void;
}

/** A body whose full blocks are on the disk. The last block is in memory, so a small body never gets to the disk at all. */
export class GrowingFile implements SpoolFile, ReadableBody {
  readonly waiting = new WaitingReaders();
  readonly #options: GrowingFileOptions;
  readonly #hash = createHash('md5');
  #taken: number;
  #size = 0;
  /** Blocks on the disk. */
  #blocks = 0;
  #tail: Uint8Array = new Uint8Array();
  #handle: FileHandle | undefined;
  #md5: string | undefined;
  #failure: Error | undefined;
  #isWriting = true;
  #writtenAtMs = Infinity;
  #readers = 0;
  #isClosed = false;

  constructor(options: GrowingFileOptions) {
    this.#options = options;
    this.#taken = options.taken;
  }

  get size(): number {
    return this.#size;
  }

  /**
   * Bytes that readers get: of a body of known size the last one only when all is known to be right. Else a client that counts, such as
   * a CDN, would take for whole what turns out to be longer than announced, or not what its digest says.
   */
  get readableSize(): number {
    const { isExact, limit } = this.#options;
    return isExact && !this.isWhole ? Math.min(this.#size, limit - 1) : this.#size;
  }

  get isWhole(): boolean {
    return this.#md5 !== undefined;
  }

  get failure(): Error | undefined {
    return this.#failure;
  }

  get md5(): string {
    if (this.#md5 === undefined) throw new IsyncError('INTERNAL', 'a body that is not whole has no MD5');
    return this.#md5;
  }

  /** Bytes of the room. */
  get taken(): number {
    return this.#taken;
  }

  /** How long it has been there for its readers alone, in ms; less than 0 while it is written. */
  get readOnlyMs(): number {
    return performance.now() - this.#writtenAtMs;
  }

  async write(piece: Uint8Array): Promise<void> {
    this.#checkOpen();
    const { limit, folder } = this.#options;
    if (this.#size + piece.length > limit) throw tooLong(limit);
    if (!this.#takeRoom(this.#size + piece.length)) throw noRoom(folder);
    this.#hash.update(piece);
    // A small body that comes at once is kept as it came.
    if (piece.length === limit && limit < BLOCK_BYTES) {
      this.#tail = piece;
      this.#size = piece.length;
      this.waiting.grew();
      return;
    }
    if (this.#size === 0) this.#tail = Buffer.allocUnsafeSlow(Math.min(BLOCK_BYTES, limit));
    for (let at = 0; at < piece.length;) {
      const filled = this.#size - this.#blocks * BLOCK_BYTES;
      const some = piece.subarray(at, at + BLOCK_BYTES - filled);
      this.#tail.set(some, filled);
      this.#size += some.length;
      at += some.length;
      if (filled + some.length < BLOCK_BYTES) break;
      await this.#storeTail();
      this.#checkOpen();
    }
    this.waiting.grew();
  }

  end(): void {
    if (this.#failure !== undefined || this.isWhole) return;
    this.#md5 = this.#hash.digest('hex');
    this.waiting.wakeAll();
  }

  fail(error: Error): void {
    if (this.isWhole) return;
    this.#failure ??= error;
    this.waiting.wakeAll();
  }

  read(range: { readonly start?: number; readonly end?: number } = {}, signal?: AbortSignal): SpoolReader {
    if (this.#isClosed) throw new IsyncError('INTERNAL', 'the body is gone from the spool');
    this.#readers += 1;
    return new SpoolReader(this, range, signal, () => {
      this.#readers -= 1;
      this.#closeUnused();
    });
  }

  bytesAt(start: number, end: number): Uint8Array | Promise<Uint8Array> {
    const index = Math.floor(start / BLOCK_BYTES);
    const from = index * BLOCK_BYTES;
    const cut = (block: Uint8Array): Uint8Array => block.subarray(start - from, end - from);
    if (index === this.#blocks) return cut(this.#tail);
    const { cache, id } = this.#options;
    const block = cache.get(id, index, () => this.#readBlock(index));
    return block instanceof Uint8Array ? cut(block) : block.then(cut);
  }

  [Symbol.dispose](): void {
    if (!this.#isWriting) return;
    this.#isWriting = false;
    this.#writtenAtMs = performance.now();
    if (!this.isWhole) this.fail(new IsyncError('INTERRUPTED', 'the body did not come to its end'));
    this.#closeUnused();
  }

  /** Closes it, whoever reads. */
  shut(error: Error): void {
    this.#failure ??= error;
    this.waiting.wakeAll();
    this.#isWriting = false;
    this.#close();
  }

  #checkOpen(): void {
    if (this.#failure !== undefined) throw this.#failure;
    if (!this.#isWriting || this.isWhole)
      throw new IsyncError('INTERNAL', 'the body has come to its end already');
  }

  #takeRoom(size: number): boolean {
    const { limit, room } = this.#options;
    if (size <= this.#taken) return true;
    for (const upTo of [Math.ceil(size / STEP_BYTES) * STEP_BYTES, size]) {
      const more = Math.min(limit, upTo) - this.#taken;
      if (!room.take(more)) continue;
      this.#taken += more;
      return true;
    }
    return false;
  }

  /** Readers find the block in memory until it is on the disk. */
  async #storeTail(): Promise<void> {
    const { cache, id, folder, limit } = this.#options;
    const block = this.#tail;
    try {
      this.#handle ??= await this.#create();
      for (let done = 0; done < block.length;) {
        const at = this.#blocks * BLOCK_BYTES + done;
        const { bytesWritten } = await this.#handle.write(block, done, block.length - done, at);
        done += bytesWritten;
      }
    } catch (error) {
      throw spoolError(error, folder);
    }
    cache.put(id, this.#blocks, block);
    this.#blocks += 1;
    this.#tail = Buffer.allocUnsafeSlow(Math.min(BLOCK_BYTES, limit - this.#size));
  }

  async #create(): Promise<FileHandle> {
    const { path } = this.#options;
    const handle = await this.#openNew();
    try {
      await unlink(path);
    } catch (error) {
      // Another process has just opened a spool in this folder, and removes what it takes for leftovers.
      if (errnoOf(error) !== 'ENOENT') {
        await handle.close();
        throw error;
      }
    }
    return handle;
  }

  /** Whoever has made the folder removes it at its end, and another process may have it as well: it is made again. */
  async #openNew(): Promise<FileHandle> {
    const { path, folder } = this.#options;
    try {
      return await open(path, 'wx+', 0o600);
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT') throw error;
      await makeFolder(folder);
      return await open(path, 'wx+', 0o600);
    }
  }

  async #readBlock(index: number): Promise<Uint8Array> {
    const { folder } = this.#options;
    if (this.#handle === undefined || this.#isClosed)
      throw this.#failure ?? new IsyncError('INTERNAL', 'the body is gone from the spool');
    const block = Buffer.allocUnsafeSlow(BLOCK_BYTES);
    try {
      for (let done = 0; done < BLOCK_BYTES;) {
        const at = index * BLOCK_BYTES + done;
        const { bytesRead } = await this.#handle.read(block, done, BLOCK_BYTES - done, at);
        if (bytesRead === 0) throw new Error('the file is shorter than what was written');
        done += bytesRead;
      }
    } catch (error) {
      throw spoolError(error, folder);
    }
    return block;
  }

  #closeUnused(): void {
    if (!this.#isWriting && this.#readers === 0) this.#close();
  }

  #close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    const { cache, id, room, closed, closes } = this.#options;
    closed();
    const giveBack = (): void => {
      cache.forget(id, this.#blocks);
      room.giveBack(this.#taken);
    };
    if (this.#handle === undefined) giveBack();
    // It waits for reads under way.
    else closes(this.#handle.close().then(giveBack, giveBack));
  }
}
