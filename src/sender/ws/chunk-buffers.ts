import { CHUNK_HEADER_BYTES } from '../../protocol/codec.ts';
import { MAX_CHUNK_BYTES } from '../../protocol/limits.ts';

/** Buffers kept for the next chunks: as many as the socket and four uploads hold at a time, 8 MiB. */
const MOST_KEPT = 32;

/** Memory for CHUNK messages, used again and again: what V8 has to collect for each of them costs as much as sending it. */
export class ChunkBuffers {
  readonly #free: ArrayBuffer[] = [];

  /** A message with room for `contentBytes` of content, at most MAX_CHUNK_BYTES. */
  take(contentBytes: number): Buffer {
    const memory = this.#free.pop() ?? new ArrayBuffer(CHUNK_HEADER_BYTES + MAX_CHUNK_BYTES);
    return Buffer.from(memory, 0, CHUNK_HEADER_BYTES + contentBytes);
  }

  /** Nobody may look at `message` any more. Not giving it back costs its memory only. */
  giveBack({ buffer }: Buffer): void {
    if (buffer instanceof ArrayBuffer && this.#free.length < MOST_KEPT) this.#free.push(buffer);
  }
}
