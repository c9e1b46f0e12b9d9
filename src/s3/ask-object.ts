import { Readable } from 'node:stream';
import { GetObjectCommand, HeadObjectCommand, type S3Client } from '@aws-sdk/client-s3';
import { IsyncError } from '../model/isync-error.ts';
import { isAbsent, isNoSuchKey, s3Error, statusOf } from './errors.ts';
import { headersIn } from './object-attributes.ts';
import { QuickGets } from './quick/pass-on.ts';
import { ReadPlaces } from './read-places.ts';
import type { S3Access } from './access.ts';
import { createS3Client } from './client.ts';

/** A GET or HEAD whose answer is passed on to a client: conditions and range go to the server, and its status comes back. */

/** Names in lower case. */
export interface AskHeaders {
  readonly range?: string | undefined;
  readonly 'if-match'?: string | undefined;
  readonly 'if-none-match'?: string | undefined;
  /** Dates of HTTP. */
  readonly 'if-modified-since'?: string | undefined;
  readonly 'if-unmodified-since'?: string | undefined;
}

export interface AskedObject {
  /** 404: the server says that there is none. */
  readonly status: 200 | 206 | 304 | 404 | 412 | 416;
  /** Of S3, names in lower case, each character a byte. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  /** Of 200 and 206 to a GET. Rejects where it does not come whole. To be read to its end, or left by its `return`. */
  readonly body: Uint8Array | AsyncIterable<Uint8Array> | undefined;
}

/** Objects that are read at a time: each holds a connection and some 200 KiB until its client has taken it. */
const READS = 256;
/**
 * Longest time until the head of an answer, in ms, without the SDK and then with it, in all its tries: a client, or a CDN that stands
 * in between, waits for 30 s or 60 s.
 */
const ANSWER_MS = 10_000;
/** Requests that wait for that, beside which more are opened for answers without a body. */
const MORE_CONNECTIONS = 32;

/** What tests have otherwise. */
interface AskerOptions {
  /** Longest time until the head of an answer, in ms. */
  readonly answerMs?: number;
  readonly places?: ReadPlaces;
}

/** Dispose of it to close its connections; requests under way then fail. */
export class ObjectAsker implements Disposable {
  readonly #access: S3Access;
  readonly #client: S3Client;
  readonly #quick: QuickGets | undefined;
  readonly #where: string;
  readonly #places: ReadPlaces;
  readonly #answerMs: number;

  /** @param reads objects that are read at a time */
  constructor(
    access: S3Access,
    reads = READS,
    { answerMs = ANSWER_MS, places = new ReadPlaces(reads) }: AskerOptions = {},
  ) {
    const { endpoint, pathStyle = true, ca } = access;
    const connections = reads + MORE_CONNECTIONS;
    this.#access = access;
    this.#client = createS3Client(access, connections);
    this.#quick =
      endpoint === undefined || !pathStyle
        ? undefined
        : QuickGets.of(this.#client, { endpoint: new URL(endpoint), ca, connections, answerMs });
    this.#where = `s3://${access.bucket}${endpoint === undefined ? '' : ` at ${endpoint}`}`;
    this.#places = places;
    this.#answerMs = answerMs;
  }

  [Symbol.dispose](): void {
    this.#quick?.[Symbol.dispose]();
    this.#client.destroy();
  }

  /** @throws IsyncError (UNREACHABLE where the server gives no answer in time, BUSY where too many objects are being read), or the signal's reason */
  async ask(
    method: 'GET' | 'HEAD',
    key: string,
    headers: AskHeaders,
    signal: AbortSignal,
  ): Promise<AskedObject> {
    const place = await this.#places.enter(signal);
    if (place === undefined) throw new IsyncError('BUSY', `too many objects are being read (${this.#where})`);
    let isHeld = false;
    const leave = (): void => place[Symbol.dispose]();
    try {
      signal.throwIfAborted();
      const quick = await this.#askQuickly(method, key, headers, signal);
      const asked = quick ?? (await this.#askSdk(method, key, headers, signal));
      const { answer, ended } = asked;
      if (ended === undefined || answer.body === undefined || answer.body instanceof Uint8Array)
        return answer;
      isHeld = true;
      void ended.then(leave);
      return { ...answer, body: place.paced(answer.body, key) };
    } catch (error) {
      signal.throwIfAborted();
      throw s3Error(error, this.#where, key);
    } finally {
      if (!isHeld) leave();
    }
  }

  async #askQuickly(
    method: 'GET' | 'HEAD',
    key: string,
    headers: AskHeaders,
    signal: AbortSignal,
  ): Promise<Asked | undefined> {
    if (this.#quick === undefined) return undefined;
    const more: Record<string, string> = {};
    for (const [name, value] of Object.entries(headers)) if (typeof value === 'string') more[name] = value;
    const quick = await this.#quick.ask(method, { bucket: this.#access.bucket, key }, more, signal);
    if (quick === undefined || !isStatus(quick.status)) return undefined;
    const { status, body, ended } = quick;
    const found: Record<string, string | undefined> = {};
    for (const name in quick.headers) {
      const value = quick.headers[name];
      found[name] = Array.isArray(value) ? value.join(', ') : value;
    }
    const isStreamed = body !== undefined && !(body instanceof Uint8Array);
    return { answer: { status, headers: found, body }, ended: isStreamed ? ended : undefined };
  }

  async #askSdk(
    method: 'GET' | 'HEAD',
    key: string,
    wanted: AskHeaders,
    signal: AbortSignal,
  ): Promise<Asked> {
    const input = {
      Bucket: this.#access.bucket,
      Key: key,
      Range: wanted.range,
      IfMatch: wanted['if-match'],
      IfNoneMatch: wanted['if-none-match'],
      IfModifiedSince: dateOf(wanted['if-modified-since']),
      IfUnmodifiedSince: dateOf(wanted['if-unmodified-since']),
    };
    const late = new AbortController();
    const why = `the object store has not answered within ${this.#answerMs} ms (${this.#where})`;
    const timer = setTimeout(
      () => late.abort(new IsyncError('UNREACHABLE', why, { path: key })),
      this.#answerMs,
    );
    const sending = { abortSignal: AbortSignal.any([signal, late.signal]) };
    try {
      const found =
        method === 'HEAD'
          ? await this.#client.send(new HeadObjectCommand(input), sending)
          : await this.#client.send(new GetObjectCommand(input), sending);
      const status = found.ContentRange === undefined ? 200 : 206;
      const body = 'Body' in found && found.Body instanceof Readable ? found.Body : undefined;
      const headers = headersOf(found);
      if (body === undefined) return { answer: { status, headers, body }, ended: undefined };
      const ended = new Promise<void>((resolve) => body.once('close', resolve));
      return { answer: { status, headers, body: leavable(body) }, ended };
    } catch (error) {
      late.signal.throwIfAborted();
      const status = statusOf(error);
      if (status === undefined || !isStatus(status) || status < 300) throw error;
      // The answer to a GET tells whether it is the key that is missing; that to a HEAD has no body.
      if (status === 404 && !(method === 'HEAD' ? isAbsent(error) : isNoSuchKey(error))) throw error;
      return { answer: { status, headers: headersOfError(error), body: undefined }, ended: undefined };
    } finally {
      clearTimeout(timer);
    }
  }
}

interface Asked {
  readonly answer: AskedObject;
  /** Where a connection is held by the body: resolves when it is free. */
  readonly ended: Promise<void> | undefined;
}

/** A stream that was never asked for anything would not notice that its reader has left. */
function leavable(body: Readable): AsyncIterableIterator<Uint8Array, undefined> {
  const pieces: AsyncIterator<unknown> = body[Symbol.asyncIterator]();
  body.on('error', () => {
    // Told to the reader.
  });
  return {
    [Symbol.asyncIterator]() {
      return this;
    },
    async next() {
      const { done, value } = await pieces.next();
      if (done === true) return { done, value: undefined };
      return { done: false, value: value instanceof Uint8Array ? value : Buffer.from(String(value)) };
    },
    async return() {
      body.destroy();
      return { done: true, value: undefined };
    },
  };
}

function isStatus(status: number): status is AskedObject['status'] {
  return [200, 206, 304, 404, 412, 416].includes(status);
}

function dateOf(text: string | undefined): Date | undefined {
  const date = new Date(text ?? '');
  return Number.isNaN(date.getTime()) ? undefined : date;
}

function headersOf(
  found: Parameters<typeof headersIn>[0] & {
    readonly ETag?: string | undefined;
    readonly LastModified?: Date | undefined;
    readonly ContentLength?: number | undefined;
    readonly ContentRange?: string | undefined;
    readonly Metadata?: Readonly<Record<string, string>> | undefined;
  },
): Record<string, string | undefined> {
  const content = headersIn(found);
  const metadata = Object.entries(found.Metadata ?? {}).map(([name, value]) => [`x-amz-meta-${name}`, value]);
  return {
    ...Object.fromEntries(metadata),
    'content-type': content.contentType,
    'content-encoding': content.contentEncoding,
    'content-language': content.contentLanguage,
    'content-disposition': content.contentDisposition,
    'cache-control': content.cacheControl,
    expires: content.expires?.toUTCString(),
    etag: found.ETag,
    'last-modified': found.LastModified?.toUTCString(),
    'content-length': found.ContentLength === undefined ? undefined : String(found.ContentLength),
    'content-range': found.ContentRange,
  };
}

/** A 304 has headers that its client wants to see; the SDK has them in the answer that it takes for an error. */
function headersOfError(error: unknown): Record<string, string | undefined> {
  const response = error instanceof Error && '$response' in error ? error.$response : undefined;
  if (typeof response !== 'object' || response === null || !('headers' in response)) return {};
  const { headers } = response;
  if (typeof headers !== 'object' || headers === null) return {};
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [
      name.toLowerCase(),
      typeof value === 'string' ? value : undefined,
    ]),
  );
}
