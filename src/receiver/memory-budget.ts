import { HighWaterMark } from '../flow/high-water-mark.ts';
import { SpentBuffers } from './spent-buffers.ts';

/**
 * Memory that all sessions of a receiver hold together for their peers. When it is scarce those that hold more than
 * a fair share wait until it is not; the others go on, so that nobody can take it all.
 */
export class MemoryBudget {
  readonly fairShare: number;
  readonly #total: HighWaterMark;
  readonly #shares = new Set<MemoryShare>();
  readonly #spent = new SpentBuffers();

  /** Scarce from `bytes` on, until half of that is free again. With at most `sessions` none is worse off than half of an equal part. */
  constructor(bytes: number, sessions: number) {
    this.fairShare = bytes / (2 * sessions);
    this.#total = new HighWaterMark(bytes, () => {
      for (const share of this.#shares) share.look();
    });
  }

  /** A session has let go of so much. */
  freed(bytes: number): void {
    this.#spent.add(bytes);
  }

  get scarce(): boolean {
    return this.#total.full;
  }

  /** @param changed is told when `over` has changed */
  open(changed: () => void): MemoryShare {
    const share = new MemoryShare(this, this.#total, changed);
    this.#shares.add(share);
    return share;
  }

  /** What the share still holds counts until it is removed. */
  close(share: MemoryShare): void {
    this.#shares.delete(share);
  }
}

/** What one session holds. */
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

  /** More than there is for it now. */
  get over(): boolean {
    return this.#over;
  }

  add(bytes: number): void {
    this.#held += bytes;
    this.#total.add(bytes);
    this.look();
  }

  remove(bytes: number): void {
    this.#held -= bytes;
    this.#total.remove(bytes);
    this.#budget.freed(bytes);
    this.look();
  }

  /** The budget has become scarce, or is so no more. */
  look(): void {
    const over = this.#budget.scarce && this.#held > this.#budget.fairShare;
    if (over === this.#over) return;
    this.#over = over;
    this.#changed();
  }
}
