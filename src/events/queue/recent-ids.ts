import { DEDUPE_MS } from './event-queue.ts';

/** Ids remembered at most: two minutes of 833 events a second, some 150 bytes each. */
export const MAX_RECENT_IDS = 100_000;

/** The ids that were published lately, oldest first. */
export class RecentIds {
  readonly #ids = new Map<string, number>();

  has(id: string, nowMs: number): boolean {
    const sentMs = this.#ids.get(id);
    // After a clock that was set back, a time ahead says as little as one long ago.
    return sentMs !== undefined && Math.abs(nowMs - sentMs) < DEDUPE_MS;
  }

  add(id: string, sentMs: number): void {
    // To the end, so that the first is the oldest.
    this.#ids.delete(id);
    this.#ids.set(id, sentMs);
    for (const [oldest, oldestMs] of this.#ids) {
      if (this.#ids.size <= MAX_RECENT_IDS && sentMs - oldestMs < DEDUPE_MS) break;
      this.#ids.delete(oldest);
    }
  }
}
