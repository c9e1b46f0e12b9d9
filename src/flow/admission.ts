interface Waiter {
  readonly rank: number;
  readonly admit: () => void;
}

/**
 * Bounds how many things are under way at once. Whoever has the lowest rank goes first, and among equals whoever
 * came first. Meant for few waiters (one a directory): admitting costs a pass over them.
 */
export class Admission {
  #free: number;
  readonly #waiting: Waiter[] = [];

  constructor(limit: number) {
    this.#free = limit;
  }

  /** Resolves when there is room; give it back with {@link release}. */
  async acquire(rank: number): Promise<void> {
    if (this.#free > 0) {
      this.#free--;
      return;
    }
    await new Promise<void>((resolve) => {
      this.#waiting.push({ rank, admit: resolve });
    });
  }

  release(): void {
    const next = this.#takeLowest();
    if (next === undefined) this.#free++;
    else next.admit();
  }

  #takeLowest(): Waiter | undefined {
    let lowest = 0;
    for (const [index, waiter] of this.#waiting.entries())
      if (waiter.rank < (this.#waiting[lowest]?.rank ?? Infinity)) lowest = index;
    return this.#waiting.splice(lowest, 1)[0];
  }
}
