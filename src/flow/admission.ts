interface Waiter {
  readonly rank: number;
  readonly admit: () => void;
}

/**
 * Bounds how many operations run at once. The waiter with the lowest rank goes first, and among equals the one that came
 * first. Meant for few waiters (one a directory): each admission walks over all of them.
 */
export class Admission {
  #free: number;
  readonly #waiting: Waiter[] = [];

  constructor(limit: number) {
    this.#free = limit;
  }

  /** Takes room where there is some; give it back with {@link release}. */
  tryAcquire(): boolean {
    if (this.#free === 0) return false;
    this.#free--;
    return true;
  }

  /** Resolves when there is room, which is taken then. */
  async acquire(rank: number): Promise<void> {
    if (this.tryAcquire()) return;
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
