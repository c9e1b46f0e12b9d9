import { LRUCache } from 'lru-cache';

/** Messages remembered, some hundred bytes each. */
const MOST_MESSAGES = 100_000;

/** Counts something of each message, of those lately counted: the deliveries that a queue counts are of all kinds. */
export class MessageCounts {
  readonly #counts = new LRUCache<string, number>({ max: MOST_MESSAGES });

  /** 0 also where it has been forgotten. */
  of(messageId: string): number {
    return this.#counts.get(messageId) ?? 0;
  }

  /** Returns the count with this one. */
  add(messageId: string): number {
    const count = this.of(messageId) + 1;
    this.#counts.set(messageId, count);
    return count;
  }

  forget(messageId: string): void {
    this.#counts.delete(messageId);
  }
}
