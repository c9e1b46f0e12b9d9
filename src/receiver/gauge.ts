/** Counts what is held and tells when it rises above `high` and when it has fallen to half of that again. */
export class Gauge {
  readonly #high: number;
  readonly #changed: () => void;
  #held = 0;
  #full = false;

  constructor(high: number, changed: () => void) {
    this.#high = high;
    this.#changed = changed;
  }

  get full(): boolean {
    return this.#full;
  }

  add(amount: number): void {
    this.#held += amount;
    if (this.#full || this.#held <= this.#high) return;
    this.#full = true;
    this.#changed();
  }

  remove(amount: number): void {
    this.#held -= amount;
    if (!this.#full || this.#held > this.#high / 2) return;
    this.#full = false;
    this.#changed();
  }
}
