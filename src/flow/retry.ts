import type { Abortable } from '../model/abortable.ts';
import { IsyncError } from '../model/isync-error.ts';

/** Shortest and longest wait before another try, in ms: soon enough for a blip, rare enough for an outage. */
const FIRST_DELAY_MS = 100;
const LONGEST_DELAY_MS = 30_000;

export interface RetryPolicy {
  /** Gives up when nothing has succeeded for this long, in ms of monotonic time; undefined: never. */
  readonly giveUpAfterMs: number | undefined;
  /** Default {@link FIRST_DELAY_MS}. */
  readonly firstDelayMs?: number;
  /** Default {@link LONGEST_DELAY_MS}. */
  readonly longestDelayMs?: number;
}

export interface WaitOptions extends Abortable {
  /** Wait the longest delay at once: trying again soon would do harm. */
  readonly longest?: boolean;
  /** When the try that failed began, on the clock of performance.now(): the time of the first one counts. Default: now. */
  readonly sinceMs?: number | undefined;
  /** Told how long the wait is, in ms. Must not throw. */
  readonly onDelay?: ((ms: number) => void) | undefined;
}

/**
 * Waits between the tries of one operation: exponential with full jitter, with a limit on the time without success.
 * Whatever others may try at the same moment waits here: a receiver, a bucket, a disk. A scan that looks at a directory of its
 * own again waits elsewhere (sender/scan/vain-tries.ts): nobody is in step with it.
 */
export class Backoff {
  readonly #policy: RetryPolicy;
  readonly #random: () => number;
  #failures = 0;
  #failingSince: number | undefined;

  constructor(policy: RetryPolicy, random: () => number = Math.random) {
    this.#policy = policy;
    this.#random = random;
  }

  /** Tries that failed since the last success. */
  get failures(): number {
    return this.#failures;
  }

  /** Time since the first failure after the last success, in ms. */
  get failingMs(): number {
    return this.#failingSince === undefined ? 0 : performance.now() - this.#failingSince;
  }

  /** What is left of the time without success, in ms; Infinity without a limit. */
  get leftMs(): number {
    return Math.max(0, (this.#policy.giveUpAfterMs ?? Infinity) - this.failingMs);
  }

  get longestDelayMs(): number {
    return this.#policy.longestDelayMs ?? LONGEST_DELAY_MS;
  }

  succeeded(): void {
    this.#failures = 0;
    this.#failingSince = undefined;
  }

  /**
   * Waits after a failure. Resolves to true when it is time to try again, to false when the time limit is over.
   * Rejects with the signal's reason.
   */
  async wait({ signal, longest = false, sinceMs, onDelay }: WaitOptions = {}): Promise<boolean> {
    this.#failingSince ??= sinceMs ?? performance.now();
    this.#failures++;
    const delay = longest ? this.longestDelayMs : this.#nextDelay();
    const left = this.leftMs;
    if (left === 0) return false;
    const ms = Math.min(delay, left);
    onDelay?.(ms);
    await sleep(ms, signal);
    return true;
  }

  #nextDelay(): number {
    const first = this.#policy.firstDelayMs ?? FIRST_DELAY_MS;
    // Past 2^20 the cap holds anyway, and the power must not grow beyond what a double can say.
    const cap = Math.min(this.longestDelayMs, first * 2 ** Math.min(this.#failures, 20));
    return Math.max(Math.min(first, this.longestDelayMs), this.#random() * cap);
  }
}

export interface RetryOptions extends Abortable {
  /** Whether another try may help. Default: what the error says of itself. */
  readonly isRetryable?: (error: IsyncError) => boolean;
  /** Called with each error after which another try may help, before the wait. Must not throw. */
  readonly onRetry?: (error: IsyncError) => void;
}

/**
 * Runs `attempt` until it succeeds, fails for good, or fails for longer than the policy allows: then it rejects with the last
 * error. What is no IsyncError is never tried again.
 */
export async function retrying<T>(
  attempt: () => Promise<T>,
  policy: RetryPolicy,
  { signal, isRetryable = ({ retryable }) => retryable, onRetry }: RetryOptions = {},
): Promise<T> {
  const backoff = new Backoff(policy);
  for (;;) {
    signal?.throwIfAborted();
    try {
      return await attempt();
    } catch (error) {
      if (!(error instanceof IsyncError) || !isRetryable(error)) throw error;
      onRetry?.(error);
      if (!(await backoff.wait({ signal }))) throw error;
    }
  }
}

/** Rejects with the signal's reason; the one of node:timers/promises does with an error of its own. */
async function sleep(ms: number, signal: AbortSignal | undefined): Promise<void> {
  signal?.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  const abort = () => reject(signal?.reason);
  signal?.addEventListener('abort', abort, { once: true });
  try {
    await promise;
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', abort);
  }
}
