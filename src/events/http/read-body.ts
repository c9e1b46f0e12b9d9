import type { Duplex } from 'node:stream';
import zlib from 'node:zlib';
import { Scavenger } from '../../flow/scavenger.ts';
import { HttpError, type HttpRequest } from '../../http/handler.ts';
import { errnoOf } from '../../model/isync-error.ts';
import { BodyShape } from './body-shape.ts';
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

/**
 * The text of a body. One that is packed is unpacked twice: at first only to see what it comes to, so that one which is too much
 * takes no memory. One at a time keeps the memory for it small.
 * @throws HttpError 400 not UTF-8, or broken; 413; 503 where all requests together hold too much
 */
export async function textOf({ chunks, unpacker, size }: SentBody, held: HeldShare): Promise<string> {
  const shape = new BodyShape();
  if (unpacker === undefined) {
    for (const chunk of chunks) shape.add(chunk);
    const [first = EMPTY, second] = chunks;
    return decoded(second === undefined ? first : Buffer.concat(chunks, size));
  }
  let unpackedSize = 0;
  for await (const chunk of unpacked(unpacker(), chunks)) {
    unpackedSize += chunk.length;
    if (unpackedSize > MAX_INFLATED_BYTES) throw tooLarge(MAX_INFLATED_BYTES);
    shape.add(chunk);
  }
  held.add(unpackedSize);
  const whole = scratch ?? Buffer.allocUnsafeSlow(MAX_INFLATED_BYTES);
  // Nobody else's while it is in use.
  scratch = undefined;
  try {
    let at = 0;
    for await (const chunk of unpacked(unpacker(), chunks)) at += chunk.copy(whole, at);
    return decoded(whole.subarray(0, at));
  } finally {
    scratch = whole;
  }
}

/** What is unpacked, before it is a text. Kept, because buffers of that size, made and let go of, leave holes of many MB behind. */
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

const DECODER = new TextDecoder('utf-8', { fatal: true });

function decoded(bytes: Uint8Array): string {
  try {
    return DECODER.decode(bytes);
  } catch (error) {
    if (errnoOf(error) !== 'ERR_ENCODING_INVALID_ENCODED_DATA') throw error;
    throw new HttpError(400, 'the body is not UTF-8', { cause: error });
  }
}

function tooLarge(most: number): HttpError {
  return new HttpError(413, `the body is larger than ${most} bytes`);
}
