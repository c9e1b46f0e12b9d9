import type { Compression } from '../job.ts';
import { type Compressor, createCompressor } from './compressor.ts';
import type { ByteSink } from './pack.ts';

/** Bytes of a frame before compression; of the last one, fewer. To read a file, whole frames are fetched. */
export const FRAME_BYTES = 4 * 1024 * 1024;
/** Frames that are compressed at a time, each in a thread of the pool, and held with what comes of them. */
const FRAMES_AT_ONCE = 3;

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
export class FrameWriter implements Disposable {
  readonly #compress: Compression;
  readonly #sink: ByteSink;
  /** Where each frame begins in the compressed stream, and where the last one ends, as far as they have been written. */
  readonly #starts = [0];
  readonly #rooms: FrameRoom[] = [];
  /** Those of no frame; the order in which they are taken hangs on the bytes alone. */
  readonly #free: FrameRoom[] = [];
  #room: FrameRoom | undefined;
  #filled = 0;
  #position = 0;
  /** Frames that are being compressed, in order. */
  readonly #pending: Pending[] = [];

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
      this.#room ??= this.#free.pop() ?? this.#newRoom();
      const part = bytes.subarray(at, at + FRAME_BYTES - this.#filled);
      this.#room.frame.set(part, this.#filled);
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

  /** Lets the memory go. What is being compressed may be lost. */
  [Symbol.dispose](): void {
    for (const { compressor } of this.#rooms) compressor[Symbol.dispose]();
  }

  #newRoom(): FrameRoom {
    const room = { frame: Buffer.allocUnsafeSlow(FRAME_BYTES), compressor: createCompressor(this.#compress) };
    this.#rooms.push(room);
    return room;
  }

  async #close(): Promise<void> {
    const room = this.#room ?? this.#newRoom();
    const pieces = room.compressor.compress(room.frame.subarray(0, this.#filled));
    this.#room = undefined;
    this.#filled = 0;
    // Its failure is told where it is waited for, in its turn.
    pieces.catch(() => undefined);
    this.#pending.push({ room, pieces });
    if (this.#pending.length >= FRAMES_AT_ONCE) await this.#writeFirst();
  }

  async #writeFirst(): Promise<void> {
    const first = this.#pending.shift();
    if (first === undefined) return;
    let end = this.written;
    const pieces = await first.pieces;
    for (const piece of pieces) {
      await this.#sink.write(piece);
      end += piece.length;
    }
    first.room.compressor.letGo(pieces);
    this.#starts.push(end);
    this.#free.push(first.room);
  }
}

/** Memory of a frame, and what compresses it: with new memory for each, much of the time is for clearing it. */
interface FrameRoom {
  readonly frame: Buffer;
  readonly compressor: Compressor;
}

interface Pending {
  readonly room: FrameRoom;
  readonly pieces: Promise<readonly Uint8Array[]>;
}
