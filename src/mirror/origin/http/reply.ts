import type { Client, Dispatcher } from 'undici';
import type { HeadersIn } from './header-values.ts';

/** Of a body so much waits in memory for its reader, in bytes: the server is asked to wait then. */
const AHEAD_BYTES = 128 * 1024;

export interface ReplyHead {
  readonly status: number;
  readonly headers: HeadersIn;
}

interface Request {
  readonly method: 'GET' | 'HEAD';
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Ends it with its reason. */
  readonly signal: AbortSignal;
}

/**
 * What comes to one request. It does what `request` of undici does without a stream for the body: for a small object that takes as
 * long as all the rest.
 */
export class Reply implements Dispatcher.DispatchHandler {
  /** Rejects where none comes. */
  readonly head: Promise<ReplyHead>;
  readonly #heading = Promise.withResolvers<ReplyHead>();
  readonly #signal: AbortSignal;
  #controller: Dispatcher.DispatchController | undefined;
  #pieces: Buffer[] = [];
  #waitingBytes = 0;
  #isOver = false;
  #error: Error | undefined;
  #wake: (() => void) | undefined;

  private constructor(signal: AbortSignal) {
    this.head = this.#heading.promise;
    this.head.catch(() => {
      // Told to whoever waits for it: one that has left before does not.
    });
    this.#signal = signal;
  }

  /** Sends a request over a connection that nobody else uses. */
  static to({ method, path, headers, signal }: Request, client: Client): Reply {
    const reply = new Reply(signal);
    signal.addEventListener('abort', reply.#aborted, { once: true });
    client.dispatch({ method, path, headers }, reply);
    return reply;
  }

  /** All that has come of the body since, or what comes next; undefined at its end. Rejects where the connection breaks. */
  async next(): Promise<Buffer | undefined> {
    while (this.#pieces.length === 0) {
      if (this.#error !== undefined) throw this.#error;
      if (this.#isOver) return undefined;
      const woken = new Promise<void>((resolve) => (this.#wake = resolve));
      // What waits in the socket may come at once, and the end of the body with it.
      this.#controller?.resume();
      await woken;
    }
    const [first, ...more] = this.#pieces;
    this.#pieces = [];
    this.#waitingBytes = 0;
    return first !== undefined && more.length === 0
      ? first
      : Buffer.concat([first ?? Buffer.alloc(0), ...more]);
  }

  /** Cuts the connection, unless all has come. */
  cut(): void {
    if (!this.#isOver) this.#controller?.abort(new Error('no longer wanted'));
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#signal.aborted) this.#aborted();
  }

  onResponseStart(_: Dispatcher.DispatchController, status: number, headers: HeadersIn): void {
    // Behind an interim response another head follows.
    if (status >= 200) this.#heading.resolve({ status, headers });
  }

  onResponseData(controller: Dispatcher.DispatchController, piece: Buffer): void {
    this.#pieces.push(piece);
    this.#waitingBytes += piece.length;
    if (this.#waitingBytes >= AHEAD_BYTES) controller.pause();
    this.#wake?.();
  }

  onResponseEnd(): void {
    this.#over();
  }

  onResponseError(_: Dispatcher.DispatchController, error: Error): void {
    this.#error = error;
    this.#heading.reject(error);
    this.#over();
  }

  readonly #aborted = (): void => {
    const reason: unknown = this.#signal.reason;
    const error = reason instanceof Error ? reason : new Error(String(reason));
    this.#heading.reject(error);
    // Without one the connection is still being made.
    this.#controller?.abort(error);
  };

  #over(): void {
    this.#isOver = true;
    this.#signal.removeEventListener('abort', this.#aborted);
    this.#wake?.();
  }
}
