import { DEDUPE_MS } from './event-queue.ts';

/** Ids remembered at most, unless it is told otherwise: two minutes of 833 events a second, some 150 bytes each. */
const MAX_RECENT_IDS = 100_000;

/** The ids that were published lately: the latest `most / 2` for sure, and no more than `most`. */
export class RecentIds {
  readonly #most: number;
  #latest = new Map<string, number>();
  /** Those before. Forgotten together: to take the oldest ones out of a Map one by one costs more with each that is out. */
  #earlier: ReadonlyMap<string, number> = new Map();

  constructor(most = MAX_RECENT_IDS) {
    this.#most = most;
  }

  /** @param nowMs by the clock of the times that were added */
  has(id: string, nowMs: number): boolean {
    const atMs = this.#latest.get(id) ?? this.#earlier.get(id);
    return atMs !== undefined && nowMs - atMs < DEDUPE_MS;
  }

  add(id: string, atMs: number): void {
    if (this.#latest.size >= this.#most / 2) {
      this.#earlier = this.#latest;
      this.#latest = new Map();
    }
    this.#latest.set(id, atMs);
  }
}
