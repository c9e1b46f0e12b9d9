import type { BufferPool } from '../../flow/buffer-pool.ts';
import { createDigester, type Digester, type DigestAlgorithm } from '../../model/digest.ts';
import { CHUNK_HEADER_BYTES, writeChunkHeader } from '../../protocol/codec.ts';
import { MAX_CHUNK_BYTES } from '../../protocol/limits.ts';
import { Forgotten, type PutJob } from '../send-queue.ts';
import type { Packer } from './packer.ts';
import { changed } from '../source-file.ts';
import type { SourceReader } from '../target.ts';

/** From this size on we ask where to resume. Sending a smaller file again is quicker than asking. */
const RESUME_FROM_BYTES = 4 * 1024 * 1024;
/** Read ahead for the digest while the receiver is asked, in bytes: what a disk gives in a long round trip. */
const HASH_AHEAD_BYTES = 64 * 1024 * 1024;
const HASH_READ_BYTES = 1024 * 1024;

/** Read at a time, in bytes, for several chunks: handing a read to the thread pool costs as much as a chunk's copy. */
const READ_BYTES = 1024 * 1024;

/** What an upload needs of its session. */
export interface UploadPort {
  readonly algorithm: DigestAlgorithm;
  /** Most content of the next chunk, in bytes. */
  chunkBytes(upload: Upload): number;
  /** A packer for the chunks of one upload; none where they go as they are. */
  createPacker(): Packer | undefined;
  readonly buffers: BufferPool;
  /** Says OPEN; returns the file's id. */
  opened(upload: Upload, resume: boolean): number;
  /** A chunk waits to be taken. */
  offered(upload: Upload): void;
  /** Says END. */
  ended(upload: Upload, digest: Buffer): void;
  /** The upload came to nothing; says CANCEL where that is due. */
  failed(upload: Upload, error: unknown): void;
}

/** One large file on its way through one session: OPEN, CHUNK …, END. */
export class Upload {
  readonly job: PutJob;
  readonly packer: Packer | undefined;
  /** From OPEN on. */
  id: number | undefined;
  readonly #port: UploadPort;
  readonly #digester: Digester;
  readonly #resume: boolean;
  readonly #stopped = new AbortController();
  readonly #offset = Promise.withResolvers<number>();
  #knownOffset: number | undefined;
  #hashed = 0;
  #chunk: { readonly bytes: Buffer; readonly taken: () => void } | undefined;

  constructor(job: PutJob, port: UploadPort) {
    this.job = job;
    this.#port = port;
    this.packer = port.createPacker();
    this.#digester = createDigester(port.algorithm);
    this.#resume = job.file.entry.size >= RESUME_FROM_BYTES;
  }

  get awaitsOffset(): boolean {
    return this.#resume && this.id !== undefined && this.#knownOffset === undefined;
  }

  /** The receiver's OFFSET, checked. */
  resumeAt(offset: number): void {
    this.#knownOffset = offset;
    this.#offset.resolve(offset);
  }

  /** Ends {@link run}, which then tells of `reason`. */
  stop(reason: unknown): void {
    this.#stopped.abort(reason);
  }

  /** The message that waits, which belongs to the session from now on. */
  takeChunk(): Buffer | undefined {
    const chunk = this.#chunk;
    this.#chunk = undefined;
    chunk?.taken();
    return chunk?.bytes;
  }

  /** Never rejects; resolves when the file is closed. */
  async run(): Promise<void> {
    try {
      const reader = await this.job.file.open();
      try {
        await this.#transfer(reader);
      } finally {
        await reader[Symbol.asyncDispose]();
      }
    } catch (error) {
      this.#port.failed(this, error);
    }
  }

  async #transfer(reader: SourceReader): Promise<void> {
    this.#goOn();
    const { path, size } = this.job.file.entry;
    const id = this.#port.opened(this, this.#resume);
    this.id = id;
    let position = this.#resume ? await this.#findOffset(reader) : 0;
    while (position < size) {
      const messages = this.#messagesFor(Math.min(READ_BYTES, size - position));
      const contents = messages.map((bytes) => bytes.subarray(CHUNK_HEADER_BYTES));
      const end = position + contents.reduce((sum, { length }) => sum + length, 0);
      if ((await reader.read(contents, position)) < end - position) throw changed(path);
      for (const bytes of messages) {
        this.#goOn();
        const content = bytes.subarray(CHUNK_HEADER_BYTES);
        this.#hash(content, position);
        writeChunkHeader(bytes, id, position);
        await this.#offer(bytes);
        position += content.length;
      }
    }
    await reader.check();
    this.#goOn();
    this.#port.ended(this, this.#digester.digest());
  }

  /** Digests the bytes that need not be sent, and begins before the receiver has answered how many they are. */
  async #findOffset(reader: SourceReader): Promise<number> {
    const { path, size } = this.job.file.entry;
    const scratch = Buffer.allocUnsafeSlow(HASH_READ_BYTES);
    while (this.#hashed < (this.#knownOffset ?? Math.min(size, HASH_AHEAD_BYTES))) {
      const part = scratch.subarray(0, Math.min(scratch.length, size - this.#hashed));
      if ((await reader.read([part], this.#hashed)) < part.length) throw changed(path);
      this.#goOn();
      this.#hash(part, this.#hashed);
    }
    const offset = await this.#unlessStopped(this.#offset.promise);
    return this.#hashed < offset ? this.#findOffset(reader) : offset;
  }

  /** Messages with room for `total` bytes of content; on a thin link, whose chunks are small, for one chunk only. */
  #messagesFor(total: number): Buffer[] {
    const { buffers } = this.#port;
    const chunkBytes = this.#port.chunkBytes(this);
    const count = chunkBytes < MAX_CHUNK_BYTES ? 1 : Math.ceil(total / chunkBytes);
    return Array.from({ length: count }, (_, n) =>
      buffers.take(CHUNK_HEADER_BYTES + Math.min(chunkBytes, total - n * chunkBytes)),
    );
  }

  /** Bytes that were digested ahead pass without being digested again. */
  #hash(content: Buffer, position: number): void {
    const end = position + content.length;
    if (end <= this.#hashed) return;
    this.#digester.update(content.subarray(this.#hashed - position));
    this.#hashed = end;
  }

  async #offer(bytes: Buffer): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#chunk = { bytes, taken: resolve };
    this.#port.offered(this);
    await this.#unlessStopped(promise);
  }

  async #unlessStopped<T>(promise: Promise<T>): Promise<T> {
    const { signal } = this.#stopped;
    signal.throwIfAborted();
    const stopped = Promise.withResolvers<never>();
    const stop = () => stopped.reject(signal.reason);
    signal.addEventListener('abort', stop, { once: true });
    try {
      return await Promise.race([promise, stopped.promise]);
    } finally {
      signal.removeEventListener('abort', stop);
    }
  }

  /** To be called after each wait: the file may have been given up meanwhile. */
  #goOn(): void {
    this.#stopped.signal.throwIfAborted();
    if (this.job.settled) throw new Forgotten();
  }
}
