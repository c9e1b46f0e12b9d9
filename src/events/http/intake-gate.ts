import type { IsyncError } from '../../model/isync-error.ts';
import type { Log } from '../../model/log.ts';
import { PAUSE_MS } from './webhook-limits.ts';

/** Between two lines of log about the gate, in ms: a queue may be full and not full many times a second. */
const LINES_APART_MS = 30_000;

/**
 * Closed for a moment after records could not be made durable, so that a store that tries again thousands of times a second
 * costs neither reading nor parsing. The log says when trouble began and when it was over, with the count of requests in between.
 */
export class IntakeGate {
  readonly #log: Log;
  readonly #now: () => number;
  #closedUntilMs = -Infinity;
  #trouble: IsyncError | undefined;
  #refused = 0;
  #toldAtMs = -Infinity;
  /** Whether the log knows of the trouble. */
  #isTold = false;

  /** @param now monotonic, in ms */
  constructor(log: Log, now: () => number = () => performance.now()) {
    this.#log = log;
    this.#now = now;
  }

  /** Why nothing is taken just now. */
  get closed(): IsyncError | undefined {
    return this.#now() < this.#closedUntilMs ? this.#trouble : undefined;
  }

  /** A request was refused because of the gate. */
  refused(): void {
    this.#refused++;
  }

  failed(error: IsyncError, fields: { readonly message: string }): void {
    this.#closedUntilMs = this.#now() + PAUSE_MS;
    this.#trouble = error;
    this.#refused++;
    if (this.#isTold || !this.#mayTell()) return;
    this.#isTold = true;
    const { code, message, hint } = error;
    this.#log.warn(`events are not taken: ${message}`, {
      code,
      ...(hint !== undefined && { hint }),
      ...fields,
    });
  }

  succeeded(fields: { readonly message: string }): void {
    if (this.#trouble === undefined) return;
    this.#trouble = undefined;
    this.#closedUntilMs = -Infinity;
    if (!this.#isTold) return;
    this.#isTold = false;
    this.#toldAtMs = this.#now();
    this.#log.info('events are taken again', { refused: this.#refused, ...fields });
    this.#refused = 0;
  }

  #mayTell(): boolean {
    if (this.#now() - this.#toldAtMs < LINES_APART_MS) return false;
    this.#toldAtMs = this.#now();
    return true;
  }
}
