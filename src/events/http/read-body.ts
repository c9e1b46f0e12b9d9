import type { Duplex } from 'node:stream';
import zlib from 'node:zlib';
import { HttpError, type HttpRequest } from '../../http/handler.ts';
import { errnoOf } from '../../model/isync-error.ts';
import { BodyShape } from './body-shape.ts';
import type { HeldShare } from './held-bytes.ts';
import { MAX_INFLATED_BYTES, MAX_SENT_BYTES } from './webhook-limits.ts';

type Unpacker = () => zlib.Gunzip | zlib.Inflate | zlib.BrotliDecompress;

const ENCODINGS: ReadonlyMap<string, Unpacker | undefined> = new Map<string, Unpacker | undefined>([
  ['', undefined],
  ['identity', undefined],
  ['gzip', () => zlib.createGunzip()],
  ['x-gzip', () => zlib.createGunzip()],
  ['deflate', () => zlib.createInflate()],
  ['br', () => zlib.createBrotliDecompress()],
]);

/** JSON, or what stores call it: SNS says text/plain, a curl without -H says that it is a form. */
const TYPES =
  /^(?:application\/(?:[\w.-]+\+)?json|text\/plain|application\/octet-stream|application\/x-www-form-urlencoded)$/;

/** A body as it came. */
export interface SentBody {
  readonly chunks: readonly Uint8Array[];
  readonly size: number;
  /** Undefined where it is not packed. */
  readonly unpacker: Unpacker | undefined;
}

/**
 * Reads a request's body.
 * @throws HttpError 400 cut; 413; 415; 503 where all requests together hold too much
 */
export async function readBody({ headers, body }: HttpRequest, held: HeldShare): Promise<SentBody> {
  const encoding = (headers['content-encoding'] ?? '').trim().toLowerCase();
  if (!ENCODINGS.has(encoding))
    throw new HttpError(415, 'the content encoding is none of gzip, deflate and br');
  const [type = ''] = (headers['content-type'] ?? '').split(';', 1);
  if (type !== '' && !TYPES.test(type.trim().toLowerCase()))
    throw new HttpError(415, 'the content type is not application/json');
  if (Number(headers['content-length'] ?? 0) > MAX_SENT_BYTES) throw tooLarge(MAX_SENT_BYTES);
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    if (size > MAX_SENT_BYTES) throw tooLarge(MAX_SENT_BYTES);
    held.add(chunk.length);
    chunks.push(chunk);
  }
  return { chunks, size, unpacker: ENCODINGS.get(encoding) };
}

/**
 * The text of a body. It is checked piece by piece while it is unpacked: of one that is too much, no more than a piece is there.
 * @throws HttpError 400 not UTF-8, or broken; 413; 503 where all requests together hold too much
 */
export async function textOf({ chunks, unpacker }: SentBody, held: HeldShare): Promise<string> {
  const text = new BodyText();
  if (unpacker === undefined) for (const chunk of chunks) text.add(chunk);
  else
    for await (const chunk of unpacked(unpacker(), chunks)) {
      held.add(chunk.length);
      text.add(chunk);
    }
  return text.end();
}

class BodyText {
  readonly #shape = new BodyShape();
  readonly #decoder = new TextDecoder('utf-8', { fatal: true });
  #size = 0;
  #text = '';

  add(chunk: Uint8Array): void {
    this.#size += chunk.length;
    if (this.#size > MAX_INFLATED_BYTES) throw tooLarge(MAX_INFLATED_BYTES);
    this.#shape.add(chunk);
    this.#text += decoded(() => this.#decoder.decode(chunk, { stream: true }));
  }

  end(): string {
    return this.#text + decoded(() => this.#decoder.decode());
  }
}

async function* unpacked(stream: Duplex, chunks: readonly Uint8Array[]): AsyncGenerator<Buffer> {
  for (const chunk of chunks) stream.write(chunk);
  stream.end();
  try {
    for await (const chunk of stream) if (Buffer.isBuffer(chunk)) yield chunk;
  } catch (error) {
    throw new HttpError(400, 'the body can not be unpacked', { cause: error });
  } finally {
    stream.destroy();
  }
}

function decoded(decode: () => string): string {
  try {
    return decode();
  } catch (error) {
    if (errnoOf(error) !== 'ERR_ENCODING_INVALID_ENCODED_DATA') throw error;
    throw new HttpError(400, 'the body is not UTF-8', { cause: error });
  }
}

function tooLarge(most: number): HttpError {
  return new HttpError(413, `the body is larger than ${most} bytes`);
}
