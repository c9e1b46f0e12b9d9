import type { Abortable } from '../model/abortable.ts';

/** What may pass at once after a pause, in ms of the rate: smooths over timers, too short to be seen in a graph. */
const BURST_MS = 100;
/** A message should take no longer than this at the rate, so that a live file need not wait behind it, in ms. */
const QUANTUM_MS = 100;
/** Smaller messages than this waste the link on headers, in bytes. */
const MIN_QUANTUM_BYTES = 4096;

/**
 * A token bucket for `--bwlimit`. The sender waits for `ready`, chooses a message, then spends its size: so it chooses as
 * late as possible. A message larger than the bucket's content passes, and the next one waits longer.
 */
export interface RateLimiter {
  /** Most content that one message should have, in bytes. */
  readonly quantumBytes: number;
  /** Resolves when the caller may send, in the order of the calls. Rejects with the signal's reason. */
  ready(options?: Abortable): Promise<void>;
  spend(bytes: number): void;
}

/** @param clock monotonic milliseconds */
export function createRateLimiter(bytesPerSecond: number, clock = () => performance.now()): RateLimiter {
  return new TokenBucket(bytesPerSecond / 1000, clock);
}

class TokenBucket implements RateLimiter {
  readonly quantumBytes: number;
  readonly #bytesPerMs: number;
  readonly #clock: () => number;
  readonly #waiters: (() => void)[] = [];
  #balance: number;
  #countedAt: number;
  #timer: NodeJS.Timeout | undefined;

  constructor(bytesPerMs: number, clock: () => number) {
    this.#bytesPerMs = bytesPerMs;
    this.#clock = clock;
    this.#balance = bytesPerMs * BURST_MS;
    this.#countedAt = clock();
    this.quantumBytes = Math.max(MIN_QUANTUM_BYTES, Math.floor(bytesPerMs * QUANTUM_MS));
  }

  async ready({ signal }: Abortable = {}): Promise<void> {
    signal?.throwIfAborted();
    if (this.#waiters.length === 0 && this.#refill() > 0) return;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const leave = () => {
      this.#waiters.splice(this.#waiters.indexOf(resolve), 1);
      reject(signal?.reason);
    };
    this.#waiters.push(resolve);
    signal?.addEventListener('abort', leave, { once: true });
    this.#schedule();
    try {
      await promise;
    } finally {
      signal?.removeEventListener('abort', leave);
    }
  }

  spend(bytes: number): void {
    this.#refill();
    this.#balance -= bytes;
  }

  #refill(): number {
    const now = this.#clock();
    const earned = (now - this.#countedAt) * this.#bytesPerMs;
    this.#balance = Math.min(this.#bytesPerMs * BURST_MS, this.#balance + earned);
    this.#countedAt = now;
    return this.#balance;
  }

  /** One waiter at a time: what it spends decides how long the next one waits. */
  #schedule(): void {
    if (this.#timer !== undefined || this.#waiters.length === 0) return;
    const waitMs = Math.max(1, Math.ceil(-this.#refill() / this.#bytesPerMs));
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      if (this.#refill() > 0) this.#waiters.shift()?.();
      this.#schedule();
    }, waitMs);
  }
}
