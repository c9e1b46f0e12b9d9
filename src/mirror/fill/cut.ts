import { OriginError } from '../origin/origin.ts';

/** Time that is left at least when a fill is cut for its deadline, in ms: parts are removed, and the client is sent elsewhere. */
const BEFORE_DEADLINE_MS = 10_000;
/** Longest delay that Node's timers take, in ms. */
const MOST_DELAY_MS = 2 ** 31 - 1;

/** What ends a fill before its time. */
export class Cut implements Disposable {
  readonly #stop = new AbortController();
  readonly #timers: NodeJS.Timeout[] = [];

  get signal(): AbortSignal {
    return this.#stop.signal;
  }

  now(error: OriginError): void {
    this.#stop.abort(error);
  }

  /** @param deadlineMs on the clock of performance.now() */
  atDeadline(deadlineMs: number): void {
    const leftMs = deadlineMs - BEFORE_DEADLINE_MS - performance.now();
    if (leftMs <= 0) this.now(noTime());
    else this.#after(leftMs, noTime);
  }

  /** Returns what calls it off. */
  afterTotal(totalMs: number): () => void {
    return this.#after(totalMs, () => new OriginError(504, `the object has not come within ${totalMs} ms`));
  }

  [Symbol.dispose](): void {
    for (const timer of this.#timers) clearTimeout(timer);
  }

  /** @param error is seldom made: a stack is dear */
  #after(ms: number, error: () => OriginError): () => void {
    const timer = setTimeout(() => this.now(error()), Math.min(ms, MOST_DELAY_MS));
    this.#timers.push(timer);
    return () => clearTimeout(timer);
  }
}

function noTime(): OriginError {
  return new OriginError(302, 'there is not enough time to fetch the object');
}
