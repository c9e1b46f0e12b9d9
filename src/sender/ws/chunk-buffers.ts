import { CHUNK_HEADER_BYTES } from '../../protocol/codec.ts';
import { MAX_CHUNK_BYTES } from '../../protocol/limits.ts';

/** Buffers kept for the next chunks: as many as the socket and four uploads hold at a time, 8 MiB. */
const MOST_KEPT = 32;

/** Reuses the memory of CHUNK messages: collecting it costs V8 as much as sending the message. */
export class ChunkBuffers {
  readonly #free: ArrayBuffer[] = [];

  /** Returns a message with room for `contentBytes` of content, at most MAX_CHUNK_BYTES. */
  take(contentBytes: number): Buffer {
    const memory = this.#free.pop() ?? new ArrayBuffer(CHUNK_HEADER_BYTES + MAX_CHUNK_BYTES);
    return Buffer.from(memory, 0, CHUNK_HEADER_BYTES + contentBytes);
  }

  /** Takes `message` back; nobody may use it after that. A message that is never given back only costs its memory. */
  giveBack({ buffer }: Buffer): void {
    if (buffer instanceof ArrayBuffer && this.#free.length < MOST_KEPT) this.#free.push(buffer);
  }
}
