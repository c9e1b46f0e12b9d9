import { addAbortSignal, Readable } from 'node:stream';
import type { GetObjectCommandOutput, HeadObjectCommandOutput } from '@aws-sdk/client-s3';
import { bare } from './answers.ts';
import { type ContentHeaders, headersIn } from './object-attributes.ts';
import type { Bucket, RequestOptions } from './requests.ts';

export interface ObjectHead {
  /** Bytes of the whole object. */
  readonly size: number;
  /** When it was put, in ms since the epoch; some servers round to seconds. */
  readonly modifiedMs: number;
  /** Without quotes. Another content has another one. */
  readonly etag: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly headers: ContentHeaders;
}

/** An object whose bytes are coming. Read them to their end, or dispose of it: until then it holds a connection. */
export interface ObjectContent extends ObjectHead, Disposable {
  /** The bytes asked for, once. Rejects where fewer of them come than the server has announced. */
  readonly bytes: AsyncIterable<Uint8Array>;
}

/** The answer to a GET, as the SDK or quick/ gives it. */
export type GetAnswer = Omit<GetObjectCommandOutput, 'Body'> & { readonly Body?: unknown };

/** The answer to a GET, with its bytes. */
export interface OpenedContent {
  readonly answer: GetAnswer;
  readonly content: ObjectContent;
}

/** Sends a GET in its turn, and holds its place among the reads until its bytes have ended. Other answers are passed on. */
export async function openContent<Other extends string | undefined>(
  bucket: Bucket,
  request: RequestOptions,
  send: () => Promise<GetAnswer | Other>,
): Promise<OpenedContent | Other> {
  const signal = bucket.signalFor(request);
  const place = await bucket.reads.enter();
  let body: Readable | undefined;
  try {
    const answer = await send();
    if (typeof answer !== 'object') return answer;
    if (answer.Body instanceof Uint8Array)
      return {
        answer,
        content: { ...headOf(answer), bytes: inOne(answer.Body), [Symbol.dispose]: () => {} },
      };
    body = answer.Body instanceof Readable ? answer.Body : Readable.from([]);
    body.once('close', () => place[Symbol.dispose]());
    body.on('error', () => {
      // Told to the reader of the bytes.
    });
    if (signal !== undefined) addAbortSignal(signal, body);
    return { answer, content: contentOf(bucket, answer, body, request) };
  } finally {
    if (body === undefined) place[Symbol.dispose]();
  }
}

export function headOf(found: HeadObjectCommandOutput | GetAnswer): ObjectHead {
  return {
    size: sizeOf(found),
    modifiedMs: found.LastModified?.getTime() ?? 0,
    etag: bare(found.ETag),
    metadata: found.Metadata ?? {},
    headers: headersIn(found),
  };
}

/** Of a part of an object the length is that of the part; `Content-Range` tells the whole: `bytes 0-9/100`. */
function sizeOf({ ContentLength = 0, ContentRange }: HeadObjectCommandOutput | GetAnswer): number {
  const whole = /\/(\d+)$/.exec(ContentRange ?? '')?.[1];
  return whole === undefined ? ContentLength : Number(whole);
}

function contentOf(bucket: Bucket, found: GetAnswer, body: Readable, request: RequestOptions): ObjectContent {
  return {
    ...headOf(found),
    bytes: bytesOf(bucket, body, found.ContentLength, request),
    [Symbol.dispose]: () => void body.destroy(),
  };
}

async function* inOne(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

async function* bytesOf(
  bucket: Bucket,
  body: Readable,
  announced: number | undefined,
  request: RequestOptions,
): AsyncGenerator<Uint8Array> {
  const pieces: AsyncIterator<unknown> = body[Symbol.asyncIterator]();
  let size = 0;
  try {
    for (;;) {
      const { done, value } = await bucket.guard(request, () => pieces.next());
      if (done === true) break;
      if (!(value instanceof Uint8Array)) continue;
      size += value.length;
      yield value;
    }
  } finally {
    // Left early, the rest is not wanted.
    body.destroy();
  }
  if (announced === undefined || size === announced) return;
  const cut = Object.assign(new Error(`${size} of ${announced} bytes`), { code: 'ECONNRESET' });
  await bucket.guard(request, () => Promise.reject(cut));
}
