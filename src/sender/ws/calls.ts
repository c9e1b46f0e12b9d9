import type { Abortable } from '../../model/abortable.ts';
import type { FileEntry } from '../../model/file-entry.ts';
import type { IsyncError } from '../../model/isync-error.ts';
import type { RelPath } from '../../model/rel-path.ts';
import type { Content, FileRange, LookedFile } from '../../protocol/messages.ts';
import { Fifo } from '../../flow/fifo.ts';
import { Backoff, type RetryPolicy } from '../../flow/retry.ts';
import type { PutJob } from '../send-queue.ts';
import type { LookOptions } from '../target.ts';
import {
  type Call,
  ListCall,
  LookCall,
  mayFollow,
  type Offered,
  OpenCall,
  ReadCall,
  RetiredCall,
  SealCall,
} from './open-calls.ts';

/**
 * Queues the requests for a session. A session takes calls out, hands them their answers, and gives back those that it
 * could not finish.
 */
export class Calls {
  /** Called when a call may have become ready to take. */
  onReady: () => void = () => {};
  readonly #retry: RetryPolicy;
  readonly #onRetry: (error: IsyncError) => void;
  readonly #waiting = new Fifo<OpenCall>();
  /** Behind a file that has not come far enough. */
  readonly #held = new Set<OpenCall>();
  readonly #open = new Set<OpenCall>();
  readonly #closing = new AbortController();
  #closedBy: unknown;

  /** `onRetry` is told why a call has to wait and will go again; it must not throw. */
  constructor(retry: RetryPolicy, onRetry: (error: IsyncError) => void = () => {}) {
    this.#retry = retry;
    this.#onRetry = onRetry;
  }

  get size(): number {
    return this.#open.size;
  }

  /** Whether each call waits for another try, or for a file. */
  get stalled(): boolean {
    return [...this.#open].every((call) => call.pausing || this.#held.has(call));
  }

  look(paths: readonly RelPath[], options: LookOptions): Promise<readonly (LookedFile | undefined)[]> {
    return this.#call(options, (resolve) => new LookCall(paths, options, resolve));
  }

  /** In microseconds; undefined also where the receiver is too old to be asked. */
  retired(directory: RelPath, options: Abortable): Promise<number | undefined> {
    return this.#call(options, (resolve) => new RetiredCall(directory, resolve));
  }

  list(prefix: RelPath | '', options: Abortable): Promise<readonly FileEntry[]> {
    return this.#call(options, (resolve) => new ListCall(prefix, resolve));
  }

  /** @param behind the file that is to be kept first */
  seal(directory: RelPath, behind: PutJob | undefined, options: Abortable): Promise<void> {
    return this.#call(options, (resolve) => new SealCall(directory, behind, resolve));
  }

  /** What the receiver has for each range; see Content. */
  read(ranges: readonly FileRange[], options: Abortable): Promise<Content['parts']> {
    return this.#call(options, (resolve) => new ReadCall(ranges, resolve));
  }

  /** The next call for a receiver that has said this. */
  take(welcome: Offered): Call | undefined {
    for (const call of this.#held) {
      if (!call.settled && !mayFollow(call.behind, welcome)) continue;
      this.#held.delete(call);
      if (!call.settled) return call;
    }
    while (this.#waiting.peek()?.settled === true) this.#waiting.shift();
    return this.#waiting.shift();
  }

  giveBack(taken: readonly Call[]): void {
    const calls = taken.filter((call) => call instanceof OpenCall);
    for (const call of calls) call.restart();
    this.#waiting.unshift(calls.filter((call) => !this.#hold(call)));
    this.onReady();
  }

  /** The receiver answered FAILED. */
  failed(call: Call, error: IsyncError): void {
    if (!(call instanceof OpenCall) || call.settled) return;
    // The file was refused, which its sender has been told: it comes again in its own time.
    if (call.behind?.sentAs === undefined && this.#hold(call)) return;
    if (!error.retryable) {
      call.reject(error);
      return;
    }
    this.#onRetry(error);
    void this.#later(call, error);
  }

  rejectAll(reason: unknown): void {
    for (const call of this.#open) call.reject(reason);
  }

  /** Rejects everything, now and later, with `reason`. */
  close(reason: unknown): void {
    if (this.#closing.signal.aborted) return;
    this.#closedBy = reason;
    this.#closing.abort();
    this.rejectAll(reason);
  }

  async #call<T>({ signal }: Abortable, make: (resolve: (value: T) => void) => OpenCall): Promise<T> {
    if (this.#closing.signal.aborted) throw this.#closedBy;
    signal?.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const call = make(resolve);
    call.onRejected = reject;
    const abort = () => call.reject(signal?.reason);
    signal?.addEventListener('abort', abort, { once: true });
    this.#open.add(call);
    if (!this.#hold(call)) this.#waiting.push(call);
    this.onReady();
    try {
      return await promise;
    } finally {
      this.#open.delete(call);
      this.#held.delete(call);
      signal?.removeEventListener('abort', abort);
    }
  }

  async #later(call: OpenCall, error: IsyncError): Promise<void> {
    call.backoff ??= new Backoff(this.#retry);
    call.pausing = true;
    let again: boolean;
    try {
      again = await call.backoff.wait({ signal: this.#closing.signal });
    } catch {
      return; // Closed: the call has been rejected with everything else.
    }
    call.pausing = false;
    if (!again) {
      call.reject(error);
      return;
    }
    call.restart();
    if (!this.#hold(call)) this.#waiting.push(call);
    this.onReady();
  }

  /** Whether the call has been put aside until its file has come further. */
  #hold(call: OpenCall): boolean {
    if (call.settled || call.behind?.kept !== false) return false;
    this.#held.add(call);
    return true;
  }
}
