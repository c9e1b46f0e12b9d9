import { promisify } from 'node:util';
import { constants, gzip, zstdCompress } from 'node:zlib';
import type { Compression } from '../job.ts';
import type { ByteSink } from './pack.ts';

/** Bytes of a frame before compression; of the last one, fewer. To read a file, whole frames are fetched. */
export const FRAME_BYTES = 4 * 1024 * 1024;
/** Frames that are compressed at a time, each in a thread of the pool, and held with what comes of them. */
const FRAMES_AT_ONCE = 3;
/** As `zstd` and `gzip` have them by default. */
const ZSTD_LEVEL = 3;
const GZIP_LEVEL = 6;

/** The most that a frame comes to, in bytes: ZSTD_compressBound of it, and of gzip 0.03 % more than went in. */
export const FRAME_ROOM_BYTES = FRAME_BYTES + FRAME_BYTES / 128;
/**
 * Bytes that come of a frame at a time. With Node's own 16 KiB each took a turn of the pool; with as many as can come, the system would
 * clear so much memory for each frame, a quarter of the time.
 */
const PIECE_BYTES = 256 * 1024;

const zstd = promisify(zstdCompress);
const gzipped = promisify(gzip);

/** Where content is in a compressed stream: see StoredAt. */
export interface FramePlace {
  readonly from: number;
  readonly to: number;
  readonly skip: number;
}

/**
 * Compresses a stream in frames, each by itself (zstd frames, or members of gzip): one after the other they are what `zstd -d` and `gunzip`
 * read as a whole, and each can be read alone. The same bytes give the same frames.
 */
export class FrameWriter {
  readonly #compress: Compression;
  readonly #sink: ByteSink;
  /** Where each frame begins in the compressed stream, and where the last one ends, as far as they have been written. */
  readonly #starts = [0];
  #frame: Buffer | undefined;
  /** Memory of frames that are compressed: with new memory for each, a large part of the time is for collecting it. */
  readonly #free: Buffer[] = [];
  #filled = 0;
  #position = 0;
  /** Frames that are being compressed, in order. */
  readonly #pending: Promise<Buffer>[] = [];

  constructor(compress: Compression, sink: ByteSink) {
    this.#compress = compress;
    this.#sink = sink;
  }

  /** Bytes so far, before compression. */
  get position(): number {
    return this.#position;
  }

  /** Bytes that have gone into the sink. */
  get written(): number {
    return this.#starts.at(-1) ?? 0;
  }

  /** Takes the bytes, which may be used again afterwards. One call at a time. Rejects as the sink does. */
  async write(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length;) {
      this.#frame ??= this.#free.pop() ?? Buffer.allocUnsafe(FRAME_BYTES);
      const part = bytes.subarray(at, at + FRAME_BYTES - this.#filled);
      this.#frame.set(part, this.#filled);
      this.#filled += part.length;
      this.#position += part.length;
      at += part.length;
      if (this.#filled === FRAME_BYTES) await this.#close();
    }
  }

  /** Writes what is left. Once; an empty stream has one empty frame. */
  async end(): Promise<void> {
    if (this.#filled > 0 || this.#position === 0) await this.#close();
    while (this.#pending.length > 0) await this.#writeFirst();
  }

  /**
   * Where the content is that was written from position `start` to before `end`; undefined while a frame of it has not been written. Of no
   * bytes: nowhere, which is no frame.
   */
  placeOf(start: number, end: number): FramePlace | undefined {
    if (end === start) return { from: 0, to: 0, skip: 0 };
    const from = this.#starts[Math.floor(start / FRAME_BYTES)];
    const after = Math.ceil(end / FRAME_BYTES);
    const to = this.#starts[after];
    if (from === undefined || to === undefined) return undefined;
    // Without compression any byte can be asked for.
    if (this.#compress === 'none') return { from: start, to: end, skip: 0 };
    return { from, to, skip: start % FRAME_BYTES };
  }

  async #close(): Promise<void> {
    const frame = this.#frame ?? Buffer.alloc(0);
    const compressed = compressFrame(this.#compress, frame.subarray(0, this.#filled));
    this.#frame = undefined;
    this.#filled = 0;
    // The pool reads from it until then. What is not compressed is the very memory that the sink has got.
    const isOurs = this.#compress !== 'none' && frame.length === FRAME_BYTES;
    const freed = (): void => void (isOurs && this.#free.push(frame));
    // Its failure is told where it is waited for, in its turn.
    compressed.then(freed, () => undefined);
    this.#pending.push(compressed);
    if (this.#pending.length >= FRAMES_AT_ONCE) await this.#writeFirst();
  }

  async #writeFirst(): Promise<void> {
    const bytes = await this.#pending.shift();
    if (bytes === undefined) return;
    await this.#sink.write(bytes);
    this.#starts.push(this.written + bytes.length);
  }
}

async function compressFrame(compress: Compression, bytes: Buffer): Promise<Buffer> {
  switch (compress) {
    case 'zstd':
      return await zstd(bytes, {
        chunkSize: PIECE_BYTES,
        params: {
          [constants.ZSTD_c_compressionLevel]: ZSTD_LEVEL,
          [constants.ZSTD_c_checksumFlag]: 1,
        },
      });
    case 'gzip':
      return await gzipped(bytes, { level: GZIP_LEVEL, chunkSize: PIECE_BYTES });
    case 'none':
      return bytes;
  }
}
