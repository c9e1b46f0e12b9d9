import { availableParallelism, loadavg } from 'node:os';

/** Longest time of a round, in s, on a machine that has nothing else to do: ten times what most take. */
const ROUND_S = 300;
/** Processes that want each processor from which on it takes longer, and how much longer at most. */
const BUSY = 2;
const MOST_STRETCH = 4;

/** Longest time of a round, in s, on this machine with what it has had to do for the last minute. */
export function limitNow(): number {
  const [lastMinute = 0] = loadavg();
  const stretch = lastMinute / availableParallelism() / BUSY;
  return ROUND_S * Math.min(MOST_STRETCH, Math.max(1, stretch));
}

/** What is being waited for, in words. */
export class Waits {
  readonly #open = new Set<{ readonly what: string }>();

  async during<T>(what: string, end: Promise<T>): Promise<T> {
    const wait = { what };
    this.#open.add(wait);
    try {
      return await end;
    } finally {
      this.#open.delete(wait);
    }
  }

  toString(): string {
    return [...this.#open].map(({ what }) => what).join(', ') || 'nothing that is known';
  }
}
