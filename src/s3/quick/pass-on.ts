import type { S3Client } from '@aws-sdk/client-s3';
import { type Dispatcher, Pool } from 'undici';
import { QuickSigner } from './sign.ts';
import { Useful } from './useful.ts';

/**
 * GET and HEAD of an object without the layers of the SDK, which take more than twice as much of the processor as the request
 * itself. As for a quick HEAD it knows one way only: a server of its own address, with the bucket in the path. Where that is not
 * so, and for every answer but the plain ones, the SDK asks: it alone tries again, and tells what is wrong.
 */

/** Longest time without a byte of an answer that is read, in ms. */
const SILENCE_MS = 30_000;
const CONNECT_MS = 10_000;
/** A body up to this size, in bytes, is taken whole: it needs no stream. It lies in memory until its client has read it. */
const WHOLE_BYTES = 64 * 1024;
/** Of a longer one so much waits in memory for its reader, in bytes: the server is asked to wait then. */
const AHEAD_BYTES = 128 * 1024;
/** Longest error that is looked into, in bytes: longer ones say something else. */
const ERROR_BYTES = 16 * 1024;

/** What a client is reached by. */
export interface QuickGetRoute {
  readonly endpoint: URL;
  /** PEM of the authorities to trust; undefined: those of the process. */
  readonly ca: string | undefined;
  /** That may be open at a time. */
  readonly connections: number;
  /** Longest time without the head of an answer, in ms. */
  readonly answerMs: number;
}

export interface QuickAnswer {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** Nothing for HEAD, and where the status tells all. Rejects where it is cut. To be read to its end, or left. */
  readonly body: Uint8Array | AsyncIterable<Uint8Array> | undefined;
  /** Resolves once the connection is free again. */
  readonly ended: Promise<void>;
  /** Gives up the connection, where the body is not wanted. */
  readonly leave: () => void;
}

/** With a body, or told by the status alone. */
const PLAIN = new Set([200, 206, 304, 404, 412, 416]);

export class QuickGets implements Disposable {
  readonly #signer: QuickSigner;
  readonly #pool: Pool;
  readonly #useful = new Useful();

  /** Undefined where the server can't be asked so. */
  static of(client: S3Client, route: QuickGetRoute): QuickGets | undefined {
    return route.endpoint.pathname === '/' && route.endpoint.search === ''
      ? new QuickGets(client, route)
      : undefined;
  }

  constructor(client: S3Client, { endpoint, ca, connections, answerMs }: QuickGetRoute) {
    this.#signer = new QuickSigner(client, endpoint);
    this.#pool = new Pool(endpoint.origin, {
      connections,
      pipelining: 1,
      headersTimeout: answerMs,
      bodyTimeout: SILENCE_MS,
      connect: { timeout: CONNECT_MS, ...(ca !== undefined && { ca }) },
    });
  }

  [Symbol.dispose](): void {
    this.#pool.destroy().catch(() => {
      // Nobody waits for it.
    });
  }

  /**
   * The answer; undefined where the SDK must ask. A 404 is S3's own "no such key", or that of a HEAD.
   * @param more further headers, names in lower case
   */
  async ask(
    method: 'GET' | 'HEAD',
    where: { readonly bucket: string; readonly key: string },
    more: Readonly<Record<string, string>>,
    signal: AbortSignal | undefined,
  ): Promise<QuickAnswer | undefined> {
    return await this.#useful.try(() => this.#ask(method, where, more, signal), signal);
  }

  async #ask(
    method: 'GET' | 'HEAD',
    where: { readonly bucket: string; readonly key: string },
    more: Readonly<Record<string, string>>,
    signal: AbortSignal | undefined,
  ): Promise<QuickAnswer | undefined> {
    const { path, headers } = await this.#signer.sign({ method, ...where, headers: more });
    signal?.throwIfAborted();
    const exchange = new Exchange(method, signal);
    this.#pool.dispatch({ method, path, headers }, exchange);
    const answer = await exchange.answer;
    if (PLAIN.has(answer.status) && (answer.status < 400 || method === 'HEAD' || isOfObject(answer)))
      return answer.status < 400 ? answer : { ...answer, body: undefined };
    answer.leave();
    return undefined;
  }
}

/** Whether the body of an error says that it is about the object: no bucket, or a page, is another matter. */
function isOfObject({ status, body }: QuickAnswer): boolean {
  if (!(body instanceof Uint8Array)) return false;
  const code = /<Code>(\w+)<\/Code>/.exec(Buffer.from(body).toString('latin1'))?.[1];
  return code === { 404: 'NoSuchKey', 412: 'PreconditionFailed', 416: 'InvalidRange' }[status];
}

/** One request and its answer, from the parser of undici without a stream between. */
class Exchange implements Dispatcher.DispatchHandler {
  readonly answer: Promise<QuickAnswer>;
  readonly #resolve: (answer: QuickAnswer) => void;
  readonly #reject: (error: Error) => void;
  readonly #hasBody: boolean;
  readonly #signal: AbortSignal | undefined;
  readonly #ended = Promise.withResolvers<void>();
  #controller: Dispatcher.DispatchController | undefined;
  #head: Pick<QuickAnswer, 'status' | 'headers'> | undefined;
  /** Bytes that have come and are not taken yet. */
  #pieces: Buffer[] = [];
  #waitingBytes = 0;
  /** Whether the body goes to a reader as it comes. */
  #streams = false;
  #isOver = false;
  #error: Error | undefined;
  #wake: (() => void) | undefined;

  constructor(method: 'GET' | 'HEAD', signal: AbortSignal | undefined) {
    const { promise, resolve, reject } = Promise.withResolvers<QuickAnswer>();
    this.answer = promise;
    this.#resolve = resolve;
    this.#reject = reject;
    this.#hasBody = method === 'GET';
    this.#signal = signal;
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#signal?.aborted === true) this.#abort();
    else this.#signal?.addEventListener('abort', this.#abort, { once: true });
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    status: number,
    headers: Readonly<Record<string, string | string[] | undefined>>,
  ): void {
    if (status < 200) return;
    this.#head = { status, headers };
    const size = Number(headers['content-length'] ?? Infinity);
    if (this.#hasBody && status < 300 && !(size <= WHOLE_BYTES)) {
      this.#streams = true;
      this.#resolve({ ...this.#head, body: this.#read(), ended: this.#ended.promise, leave: this.#abort });
    }
  }

  onResponseData(controller: Dispatcher.DispatchController, piece: Buffer): void {
    this.#pieces.push(piece);
    this.#waitingBytes += piece.length;
    if (!this.#streams && this.#waitingBytes > WHOLE_BYTES + ERROR_BYTES)
      return controller.abort(new Error('an error that is longer than any'));
    if (this.#streams && this.#waitingBytes >= AHEAD_BYTES) controller.pause();
    this.#wake?.();
  }

  onResponseEnd(): void {
    this.#over();
    if (this.#streams || this.#head === undefined) return;
    const [first = Buffer.alloc(0), ...more] = this.#pieces;
    const body = more.length === 0 ? first : Buffer.concat([first, ...more]);
    this.#resolve({
      ...this.#head,
      body: this.#hasBody ? body : undefined,
      ended: this.#ended.promise,
      leave: () => undefined,
    });
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.#error = error;
    this.#over();
    this.#reject(error);
  }

  #over(): void {
    this.#isOver = true;
    this.#signal?.removeEventListener('abort', this.#abort);
    this.#ended.resolve();
    this.#wake?.();
  }

  readonly #abort = (): void => {
    if (!this.#isOver) this.#controller?.abort(new Error('no longer wanted'));
  };

  /** One that was never asked for anything must notice that its reader has left, as a generator would not. */
  #read(): AsyncIterableIterator<Uint8Array, undefined> {
    const end = { done: true, value: undefined } as const;
    return {
      [Symbol.asyncIterator]() {
        return this;
      },
      next: async () => {
        while (this.#pieces.length === 0) {
          if (this.#error !== undefined) throw this.#error;
          if (this.#isOver) return end;
          const woken = new Promise<void>((resolve) => {
            this.#wake = resolve;
          });
          // What waits in the socket may come at once, and the end of the body with it.
          this.#controller?.resume();
          await woken;
        }
        const value = this.#takePiece();
        return { done: false, value };
      },
      return: async () => {
        this.#pieces = [];
        this.#abort();
        return end;
      },
    };
  }

  #takePiece(): Buffer {
    const pieces = this.#pieces;
    this.#pieces = [];
    this.#waitingBytes = 0;
    // Together: each piece that is handed on costs more than copying it.
    return pieces.length === 1 && pieces[0] !== undefined ? pieces[0] : Buffer.concat(pieces);
  }
}
