import { promisify } from 'node:util';
import zlib from 'node:zlib';
import type { Limiter } from '../../flow/limiter.ts';
import { HttpError, type HttpRequest } from '../../http/handler.ts';
import { errnoOf } from '../../model/isync-error.ts';
import type { HeldShare } from './held-bytes.ts';
import { MAX_INFLATED_BYTES, MAX_SENT_BYTES } from './webhook-limits.ts';

type Unpack = (bytes: Buffer) => Promise<Buffer>;

/** Each stops at the limit, and holds no more than that. */
const options = { maxOutputLength: MAX_INFLATED_BYTES };
const [gunzip, inflate, brotli] = [
  promisify<zlib.InputType, zlib.ZlibOptions, Buffer>(zlib.gunzip),
  promisify<zlib.InputType, zlib.ZlibOptions, Buffer>(zlib.inflate),
  promisify<zlib.InputType, zlib.BrotliOptions, Buffer>(zlib.brotliDecompress),
];
const ENCODINGS: ReadonlyMap<string, Unpack | undefined> = new Map<string, Unpack | undefined>([
  ['', undefined],
  ['identity', undefined],
  ['gzip', (bytes) => gunzip(bytes, options)],
  ['x-gzip', (bytes) => gunzip(bytes, options)],
  ['deflate', (bytes) => inflate(bytes, options)],
  ['br', (bytes) => brotli(bytes, options)],
]);

/** JSON, or what stores call it: SNS says text/plain, a curl without -H says that it is a form. */
const TYPES =
  /^(?:application\/(?:[\w.-]+\+)?json|text\/plain|application\/octet-stream|application\/x-www-form-urlencoded)$/;

/**
 * The text of a request's body, unpacked.
 * @throws HttpError 400 not UTF-8, cut, or broken; 413; 415; 503 where all requests together hold too much
 */
export async function readBody(request: HttpRequest, held: HeldShare, unpacking: Limiter): Promise<string> {
  const { headers } = request;
  const encoding = (headers['content-encoding'] ?? '').trim().toLowerCase();
  if (!ENCODINGS.has(encoding))
    throw new HttpError(415, 'the content encoding is none of gzip, deflate and br');
  const [type = ''] = (headers['content-type'] ?? '').split(';', 1);
  if (type !== '' && !TYPES.test(type.trim().toLowerCase()))
    throw new HttpError(415, 'the content type is not application/json');
  if (Number(headers['content-length'] ?? 0) > MAX_SENT_BYTES) throw tooLarge(MAX_SENT_BYTES);
  const sent = await sentBytes(request, held);
  const unpack = ENCODINGS.get(encoding);
  if (unpack === undefined) return textOf(sent);
  return unpacking.run(async () => {
    const unpacked = await unpack(sent).catch((error: unknown) => {
      throw errnoOf(error) === 'ERR_BUFFER_TOO_LARGE'
        ? tooLarge(MAX_INFLATED_BYTES)
        : new HttpError(400, 'the body can not be unpacked', { cause: error });
    });
    held.add(unpacked.length);
    return textOf(unpacked);
  });
}

async function sentBytes({ body }: HttpRequest, held: HeldShare): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    if (size > MAX_SENT_BYTES) throw tooLarge(MAX_SENT_BYTES);
    held.add(chunk.length);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, size);
}

const decoder = new TextDecoder('utf-8', { fatal: true });

function textOf(bytes: Buffer): string {
  try {
    return decoder.decode(bytes);
  } catch (error) {
    throw new HttpError(400, 'the body is not UTF-8', { cause: error });
  }
}

function tooLarge(most: number): HttpError {
  return new HttpError(413, `the body is larger than ${most} bytes`);
}
