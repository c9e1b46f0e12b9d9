import { LRUCache } from 'lru-cache';

/** Messages remembered, some hundred bytes each: one that is forgotten is tried more often. */
const MOST_MESSAGES = 100_000;

/** How often a message has failed for good here: the deliveries that its queue counts are also those of trouble that passed. */
export class FailureCounts {
  readonly #counts = new LRUCache<string, number>({ max: MOST_MESSAGES });

  /** Returns the count with this failure. */
  add(messageId: string): number {
    const count = (this.#counts.get(messageId) ?? 0) + 1;
    this.#counts.set(messageId, count);
    return count;
  }

  forget(messageId: string): void {
    this.#counts.delete(messageId);
  }
}
