/** Adds up amounts that are held. */
export interface Counter {
  add(amount: number): void;
  /** @param freed how much of the amount is left to V8: all, unless told */
  remove(amount: number, freed?: number): void;
}

/** Adds up what is held, and calls back when the sum rises above `high` and when it has fallen to half of that again. */
export class HighWaterMark implements Counter {
  readonly #high: number;
  readonly #changed: () => void;
  readonly #share: Counter | undefined;
  #held = 0;
  #full = false;

  /** @param share gets every amount too, as the whole that this is a part of */
  constructor(high: number, changed: () => void, share?: Counter) {
    this.#high = high;
    this.#changed = changed;
    this.#share = share;
  }

  get full(): boolean {
    return this.#full;
  }

  add(amount: number): void {
    this.#share?.add(amount);
    this.#held += amount;
    if (this.#full || this.#held <= this.#high) return;
    this.#full = true;
    this.#changed();
  }

  remove(amount: number, freed = amount): void {
    this.#share?.remove(amount, freed);
    this.#held -= amount;
    if (!this.#full || this.#held > this.#high / 2) return;
    this.#full = false;
    this.#changed();
  }
}
