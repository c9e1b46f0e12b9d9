import type { Abortable } from '../../model/abortable.ts';
import { IsyncError } from '../../model/isync-error.ts';
import type { ByteRanges } from '../pack/byte-ranges.ts';
import { CHUNK_BYTES, type StreamKey, TAG_BYTES } from './stream-key.ts';

const SEALED_CHUNK_BYTES = CHUNK_BYTES + TAG_BYTES;

/** What is encrypted in an object of age. Of a range, whole chunks are fetched, and each is checked before any of it is given. */
export class OpenedRanges implements ByteRanges {
  readonly size: number;
  readonly #sealed: ByteRanges;
  /** Where its first chunk begins. */
  readonly #begin: number;
  readonly #key: StreamKey;
  readonly #lastChunk: number;

  /** @throws IsyncError DIGEST_MISMATCH where no payload has that length */
  constructor(sealed: ByteRanges, begin: number, key: StreamKey) {
    this.#sealed = sealed;
    this.#begin = begin;
    this.#key = key;
    const length = sealed.size - begin;
    const chunks = Math.ceil(length / SEALED_CHUNK_BYTES);
    this.size = length - chunks * TAG_BYTES;
    this.#lastChunk = chunks - 1;
    const last = length - this.#lastChunk * SEALED_CHUNK_BYTES;
    // Only an empty payload has an empty chunk.
    if (chunks < 1 || last < TAG_BYTES || (last === TAG_BYTES && chunks > 1)) throw damaged('it is cut');
  }

  async *read(start: number, end: number, options?: Abortable): AsyncGenerator<Uint8Array> {
    if (start < 0 || end > this.size || start > end) throw damaged('it is shorter than what is asked for');
    if (start === end) return;
    let number = Math.floor(start / CHUNK_BYTES);
    const after = Math.ceil(end / CHUNK_BYTES);
    const from = this.#begin + number * SEALED_CHUNK_BYTES;
    const to = Math.min(this.#begin + after * SEALED_CHUNK_BYTES, this.#sealed.size);
    for await (const sealed of piecesOf(this.#sealed.read(from, to, options), SEALED_CHUNK_BYTES)) {
      const chunk = this.#key.open(sealed, number, number === this.#lastChunk);
      if (chunk === undefined) throw damaged(`its chunk ${number} is not what was written`);
      const at = number * CHUNK_BYTES;
      yield chunk.subarray(Math.max(0, start - at), end - at);
      number++;
    }
    if (number < after) throw damaged('it ended early');
  }
}

/** The bytes in pieces of just `length`; the last one may be shorter. Each is valid until the next is asked for. */
async function* piecesOf(bytes: AsyncIterable<Uint8Array>, length: number): AsyncGenerator<Uint8Array> {
  const piece = Buffer.allocUnsafe(length);
  let filled = 0;
  for await (const more of bytes) {
    for (let at = 0; at < more.length;) {
      const part = more.subarray(at, at + length - filled);
      piece.set(part, filled);
      filled += part.length;
      at += part.length;
      if (filled < length) continue;
      yield piece;
      filled = 0;
    }
  }
  if (filled > 0) yield piece.subarray(0, filled);
}

export function damaged(why: string, cause?: unknown): IsyncError {
  return new IsyncError('DIGEST_MISMATCH', `an encrypted object can't be opened: ${why}`, { cause });
}
