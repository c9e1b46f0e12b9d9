import type { Duplex } from 'node:stream';
import zlib from 'node:zlib';
import { Scavenger } from '../../flow/scavenger.ts';
import { HttpError, type HttpRequest } from '../../http/handler.ts';
import type { HeldShare } from './held-bytes.ts';
import { MAX_INFLATED_BYTES, MAX_SENT_BYTES } from './webhook-limits.ts';

/** Bytes that are unpacked between two collections of what is done with: it lies in buffers, which V8 would let gather. */
const COLLECT_EVERY_BYTES = 1024 * 1024;

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

/** The bytes of a body, as long as it is not disposed of. */
export interface OpenBody extends Disposable {
  readonly bytes: Uint8Array;
}

/**
 * Unpacks a body that is packed. Of those, one may be open at a time.
 * @throws HttpError 400 broken; 413
 */
export async function openBody({ chunks, unpacker, size }: SentBody): Promise<OpenBody> {
  if (unpacker === undefined) {
    const [first = EMPTY, second] = chunks;
    return { bytes: second === undefined ? first : Buffer.concat(chunks, size), [Symbol.dispose]: () => {} };
  }
  const buffer = scratch ?? Buffer.allocUnsafeSlow(MAX_INFLATED_BYTES);
  // Nobody else's while it is in use.
  scratch = undefined;
  const close = (): void => void (scratch = buffer);
  try {
    let length = 0;
    for await (const chunk of unpacked(unpacker(), chunks)) {
      if (length + chunk.length > MAX_INFLATED_BYTES) throw tooLarge(MAX_INFLATED_BYTES);
      length += chunk.copy(buffer, length);
    }
    return { bytes: buffer.subarray(0, length), [Symbol.dispose]: close };
  } catch (error) {
    close();
    throw error;
  }
}

/** What is unpacked. Kept, because buffers of that size, made and let go of, leave holes of many MB behind. */
let scratch: Buffer | undefined;

const EMPTY = new Uint8Array();

async function* unpacked(stream: Duplex, chunks: readonly Uint8Array[]): AsyncGenerator<Buffer> {
  const scavenger = new Scavenger(COLLECT_EVERY_BYTES);
  for (const chunk of chunks) stream.write(chunk);
  stream.end();
  try {
    for await (const chunk of stream) {
      if (!Buffer.isBuffer(chunk)) continue;
      yield chunk;
      scavenger.freed(chunk.length);
    }
  } catch (error) {
    throw new HttpError(400, 'the body can not be unpacked', { cause: error });
  } finally {
    stream.destroy();
  }
}

function tooLarge(most: number): HttpError {
  return new HttpError(413, `the body is larger than ${most} bytes`);
}
