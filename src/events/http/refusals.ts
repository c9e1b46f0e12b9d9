import { LRUCache } from 'lru-cache';
import { networkOf } from '../../http/network-of.ts';

/** Networks of clients that are remembered, of 100 bytes each. */
const MAX_REMEMBERED = 4096;
/** Refusals of one network before they are too many: an operator tries a token or two. */
const BURST = 20;
/** After a burst, ms for each further one. */
const MS_PER_REFUSAL = 1000;

interface Account {
  left: number;
  countedAtMs: number;
}

/**
 * Counts requests that were not allowed. It tells only how they are refused, never whether: so nobody can lock out an honest
 * sender of the same network.
 */
export class Refusals {
  readonly #now: () => number;
  readonly #accounts = new LRUCache<string, Account>({ max: MAX_REMEMBERED });

  /** @param now monotonic, in ms */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** Counts one more; returns whether there are too many. */
  tooMany(address: string): boolean {
    const network = networkOf(address);
    const now = this.#now();
    const { left, countedAtMs } = this.#accounts.get(network) ?? { left: BURST, countedAtMs: now };
    const filled = Math.min(BURST, left + (now - countedAtMs) / MS_PER_REFUSAL);
    this.#accounts.set(network, { left: Math.max(0, filled - 1), countedAtMs: now });
    return filled < 1;
  }
}
