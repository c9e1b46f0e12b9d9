import { performance } from 'node:perf_hooks';
import { Backoff } from '../flow/retry.ts';
import { toIsyncError } from '../model/isync-error.ts';
import type { InotifywaitEvents } from './inotifywait-output.ts';
import { Inotifywait } from './inotifywait.ts';
import type { Log } from '../model/log.ts';

/** Wait before the first new start, in ms. */
const RESTART_MIN_MS = 250;
/** Longest wait, in ms: a raised limit is noticed within a minute. */
const RESTART_MAX_MS = 60_000;
const RESTARTS = { giveUpAfterMs: undefined, firstDelayMs: RESTART_MIN_MS, longestDelayMs: RESTART_MAX_MS };
/** A process that ran this long, in ms, was healthy: its end counts as a first failure. */
const HEALTHY_MS = 60_000;

export interface CloseWriteOptions {
  /** Absolute path of the folder to watch, with all folders in it. */
  readonly directory: string;
  onEvents(events: InotifywaitEvents): void;
  /** From now on every close is told, or no longer. Whatever was closed in between was not. */
  onActive(active: boolean, reason: string): void;
  /** Something could not be watched, so closes may be missed. */
  onIncomplete(reason: string): void;
  readonly log: Log;
}

/** Tells which files their writers close, by an inotifywait that is started again whenever it ends. */
export class CloseWrite implements AsyncDisposable {
  readonly #options: CloseWriteOptions;
  readonly #abort = new AbortController();
  readonly #firstTry = Promise.withResolvers<void>();
  readonly #done: Promise<void>;
  #active = false;

  constructor(options: CloseWriteOptions) {
    this.#options = options;
    this.#done = this.#run(this.#abort.signal);
  }

  /** Resolves when inotifywait watches, or could not be made to at the first try: see `active`. */
  get tried(): Promise<void> {
    return this.#firstTry.promise;
  }

  /** Whether every close is told at present. */
  get active(): boolean {
    return this.#active;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#abort.abort();
    await this.#done;
  }

  async #run(signal: AbortSignal): Promise<void> {
    const backoff = new Backoff(RESTARTS);
    while (!signal.aborted) {
      const start = performance.now();
      await this.#runOnce(signal, backoff.failures === 0);
      this.#firstTry.resolve();
      if (performance.now() - start >= HEALTHY_MS) backoff.succeeded();
      // A rejection means that the signal has fired, which ends the loop.
      await backoff.wait({ signal }).catch(() => undefined);
    }
  }

  async #runOnce(signal: AbortSignal, first: boolean): Promise<void> {
    const { directory, log } = this.#options;
    let inotifywait: Inotifywait;
    try {
      inotifywait = await Inotifywait.start(
        {
          directory,
          onEvents: (events) => this.#options.onEvents(events),
          onComplaint: (text) => this.#options.onIncomplete(text),
        },
        { signal },
      );
    } catch (error) {
      if (signal.aborted) return;
      const { code, message } = toIsyncError(error, 'WATCH_FAILED');
      // A warning the first time only: it is tried again and again.
      log[first ? 'warn' : 'debug'](message, { code });
      return;
    }
    const stop = (): void => void inotifywait[Symbol.asyncDispose]();
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) stop();
    this.#setActive(true, 'inotifywait watches');
    this.#firstTry.resolve();
    const reason = await inotifywait.ended;
    signal.removeEventListener('abort', stop);
    await inotifywait[Symbol.asyncDispose]();
    if (!signal.aborted) log.warn(`inotifywait has ended: ${reason}`, { code: 'WATCH_FAILED' });
    this.#setActive(false, 'inotifywait has ended');
  }

  #setActive(active: boolean, reason: string): void {
    this.#active = active;
    if (!this.#abort.signal.aborted) this.#options.onActive(active, reason);
  }
}
