import type { IsyncError } from '../../model/isync-error.ts';
import type { Log } from '../../model/log.ts';

/** A queue that comes and goes is told of once in this time, in ms. */
const REPEAT_MS = 60_000;

/** What is known of the way to the queue, from all requests. Says once that it is cut, and once that it works again. */
export class LinkLog {
  readonly #log: Log;
  #failingSinceMs: number | undefined;
  #saidMs = -Infinity;
  #isSaid = false;
  #refusal: IsyncError | undefined;

  constructor(log: Log) {
    this.#log = log;
  }

  get isReached(): boolean {
    return this.#failingSinceMs === undefined;
  }

  /** Why the queue refuses what is needed; undefined where it does not. */
  get refusal(): IsyncError | undefined {
    return this.#refusal;
  }

  /** A request failed, and is tried again. */
  failed(err: IsyncError): void {
    const nowMs = performance.now();
    this.#failingSinceMs ??= nowMs;
    if (this.#isSaid || nowMs - this.#saidMs < REPEAT_MS) return;
    this.#saidMs = nowMs;
    this.#isSaid = true;
    this.#log.warn('the queue can not be reached; trying again', { err });
  }

  reached(): void {
    if (this.#failingSinceMs === undefined) return;
    const ms = Math.round(performance.now() - this.#failingSinceMs);
    this.#failingSinceMs = undefined;
    if (this.#isSaid) this.#log.info('the queue is reached again', { afterMs: ms });
    this.#isSaid = false;
  }

  /** A request was refused for good. */
  refused(err: IsyncError): void {
    if (this.#refusal === undefined) this.#log.error('the queue refuses what is needed', { err });
    this.#refusal ??= err;
  }
}
