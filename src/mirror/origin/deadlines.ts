import type { MirrorTimeouts } from '../rule.ts';
import { OriginError } from './origin.ts';

/** Node's timers take no longer time, in ms. */
const LONGEST_MS = 2 ** 31 - 1;

/** The time limits of one request to an origin, from its beginning to the last byte: what goes beyond them ends with a 504. */
export class Deadlines implements Disposable {
  readonly #name: string;
  readonly #caller: AbortSignal;
  readonly #cut = new AbortController();
  readonly #total: NodeJS.Timeout;

  /** @param caller ends the request with its own reason */
  constructor(name: string, { total }: Pick<MirrorTimeouts, 'total'>, caller: AbortSignal) {
    this.#name = name;
    this.#caller = caller;
    this.#total = this.#timer(total, `has not sent all within ${total} ms`, false);
    if (caller.aborted) this.#left();
    else caller.addEventListener('abort', this.#left, { once: true });
  }

  /** Fires with why the request must end. */
  get signal(): AbortSignal {
    return this.#cut.signal;
  }

  /** Runs a step, which `signal` must end, and ends the request where the step takes longer than `ms`. Rejects with why it ended. */
  async within<T>(ms: number, complaint: string, step: () => Promise<T>): Promise<T> {
    const timer = this.#timer(ms, complaint, true);
    try {
      this.signal.throwIfAborted();
      return await step();
    } catch (error) {
      this.signal.throwIfAborted();
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#total);
    this.#caller.removeEventListener('abort', this.#left);
  }

  /** @param isAway whether it says that the origin is in trouble: a large object may just take its time */
  #timer(ms: number, complaint: string, isAway: boolean): NodeJS.Timeout {
    const error = () => new OriginError(504, `${this.#name} ${complaint}`, { isAway });
    return setTimeout(() => this.#cut.abort(error()), Math.min(ms, LONGEST_MS));
  }

  readonly #left = () => this.#cut.abort(this.#caller.reason);
}
