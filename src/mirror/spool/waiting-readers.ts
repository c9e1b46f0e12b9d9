/**
 * How long readers may be left asleep after bytes have come, in ms: so much for each of them that waits, and no more than the second
 * figure. One reader is woken by each piece; a thousand are woken twenty times a second, and find more to read each time.
 */
const ASLEEP_MS = { each: 0.05, most: 50 };

/** Readers that have read all there is. They are woken together, and the more often the fewer they are. */
export class WaitingReaders {
  #waiting: (() => void)[] = [];
  #timer: NodeJS.Timeout | undefined;
  #wokenMs = -Infinity;

  /** Calls `wake` once, when there is more. Waking a reader that has left does no harm. */
  add(wake: () => void): void {
    this.#waiting.push(wake);
  }

  /** There are more bytes. */
  grew(): void {
    if (this.#timer !== undefined || this.#waiting.length === 0) return;
    const asleepMs = Math.min(ASLEEP_MS.most, this.#waiting.length * ASLEEP_MS.each);
    const leftMs = this.#wokenMs + asleepMs - performance.now();
    if (leftMs <= 1) this.wakeAll();
    else this.#timer = setTimeout(() => this.wakeAll(), leftMs);
  }

  /** Nothing more will come. */
  wakeAll(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#wokenMs = performance.now();
    const woken = this.#waiting;
    this.#waiting = [];
    for (const wake of woken) wake();
  }
}
