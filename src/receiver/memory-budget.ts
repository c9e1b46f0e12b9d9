import { HighWaterMark } from '../flow/high-water-mark.ts';
import { Scavenger } from '../flow/scavenger.ts';

/**
 * Counts the memory that all sessions of a receiver hold for their peers. While it is scarce, sessions that hold more than
 * a fair share wait and the others go on, so that no peer can take it all.
 */
export class MemoryBudget {
  readonly fairShare: number;
  readonly #total: HighWaterMark;
  readonly #shares = new Set<MemoryShare>();
  readonly #scavenger = new Scavenger();

  /**
   * Memory is scarce from `bytes` on, until half of that is free again. With at most `sessions` sessions, each is sure of half
   * an equal share.
   */
  constructor(bytes: number, sessions: number) {
    this.fairShare = bytes / (2 * sessions);
    this.#total = new HighWaterMark(bytes, () => {
      for (const share of this.#shares) share.update();
    });
  }

  /** A session has left this much to V8. */
  freed(bytes: number): void {
    this.#scavenger.freed(bytes);
  }

  get scarce(): boolean {
    return this.#total.full;
  }

  /** A share for one more session. @param changed is called when the share's `over` has changed */
  open(changed: () => void): MemoryShare {
    const share = new MemoryShare(this, this.#total, changed);
    this.#shares.add(share);
    return share;
  }

  /** What the share still holds is counted until it is removed. */
  close(share: MemoryShare): void {
    this.#shares.delete(share);
  }
}

/** Counts the memory that one session holds. */
export class MemoryShare {
  readonly #budget: MemoryBudget;
  readonly #total: HighWaterMark;
  readonly #changed: () => void;
  #held = 0;
  #over = false;

  constructor(budget: MemoryBudget, total: HighWaterMark, changed: () => void) {
    this.#budget = budget;
    this.#total = total;
    this.#changed = changed;
  }

  /** The session holds more than it may now, and should take nothing more. */
  get over(): boolean {
    return this.#over;
  }

  add(bytes: number): void {
    this.#held += bytes;
    this.#total.add(bytes);
    this.update();
  }

  remove(bytes: number, freed = bytes): void {
    this.#held -= bytes;
    this.#total.remove(bytes);
    this.#budget.freed(freed);
    this.update();
  }

  /** To be called when memory has become scarce, or is no longer. */
  update(): void {
    const over = this.#budget.scarce && this.#held > this.#budget.fairShare;
    if (over === this.#over) return;
    this.#over = over;
    this.#changed();
  }
}
