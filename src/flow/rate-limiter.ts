import type { Abortable } from '../model/abortable.ts';
import { type Bandwidth, bandwidthAt } from './bandwidth.ts';

/** What may pass at once after a pause, in ms of the rate: smooths over timers, too short to be seen in a graph. */
const BURST_MS = 100;
/** A message should take no longer than this at the rate, so that a live file need not wait behind it, in ms. */
const QUANTUM_MS = 100;
/** Longest time between two looks at the rate, in ms: it may have changed while somebody waits. */
const LOOK_MS = 1000;
/** Smaller messages than this waste the link on headers, in bytes. */
const MIN_QUANTUM_BYTES = 4096;

/**
 * A token bucket for `--bwlimit`. The sender waits for `ready`, chooses a message, then spends its size: so it chooses as
 * late as possible. A message larger than the bucket's content passes, and the next one waits longer.
 */
export interface RateLimiter {
  /** Most content that one message should have just now, in bytes; Infinity without a limit. */
  readonly quantumBytes: number;
  /** Resolves when the caller may send, in the order of the calls. Rejects with the signal's reason. */
  ready(options?: Abortable): Promise<void>;
  spend(bytes: number): void;
}

/**
 * @param bandwidth is asked for whenever it matters, so that another one takes hold within a second
 * @param clock monotonic milliseconds
 */
export function createRateLimiter(bandwidth: () => Bandwidth, clock = () => performance.now()): RateLimiter {
  return new TokenBucket(bandwidth, clock);
}

class TokenBucket implements RateLimiter {
  readonly #bandwidth: () => Bandwidth;
  readonly #clock: () => number;
  readonly #waiters: (() => void)[] = [];
  #bytesPerMs: number;
  #lookedAt: number;
  #balance: number;
  #countedAt: number;
  #timer: NodeJS.Timeout | undefined;

  constructor(bandwidth: () => Bandwidth, clock: () => number) {
    this.#bandwidth = bandwidth;
    this.#clock = clock;
    this.#countedAt = this.#lookedAt = clock();
    this.#bytesPerMs = this.#rateNow();
    this.#balance = this.#bytesPerMs * BURST_MS;
  }

  get quantumBytes(): number {
    if (this.#bytesPerMs === Infinity) return Infinity;
    return Math.max(MIN_QUANTUM_BYTES, Math.floor(this.#bytesPerMs * QUANTUM_MS));
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
    if (now - this.#lookedAt >= LOOK_MS) [this.#bytesPerMs, this.#lookedAt] = [this.#rateNow(), now];
    const most = this.#bytesPerMs * BURST_MS;
    // Without a limit any time earns enough, and no time must not earn NaN.
    const earned = most === Infinity ? Infinity : (now - this.#countedAt) * this.#bytesPerMs;
    this.#balance = Math.min(most, this.#balance + earned);
    this.#countedAt = now;
    return this.#balance;
  }

  #rateNow(): number {
    return bandwidthAt(this.#bandwidth(), new Date()) / 1000;
  }

  /** One waiter at a time: what it spends decides how long the next one waits. */
  #schedule(): void {
    if (this.#timer !== undefined || this.#waiters.length === 0) return;
    const owed = -this.#refill();
    const waitMs =
      this.#bytesPerMs === Infinity ? 1 : Math.min(LOOK_MS, Math.max(1, Math.ceil(owed / this.#bytesPerMs)));
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      if (this.#refill() > 0) this.#waiters.shift()?.();
      this.#schedule();
    }, waitMs);
  }
}
