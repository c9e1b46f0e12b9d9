/** First wait, in ms; doubled each time. */
const FIRST_WAIT_MS = 100;
const LONGEST_WAIT_MS = 30_000;
/** `--once` gives up after so many listings in vain. */
const MAX_VAIN = 10;

/** Counts listings that found files to send of which none could be: files that vanish or change each time they are looked at. */
export class VainRounds {
  #vain = 0;
  #marksBefore = 0;

  /** Nothing was left to send. */
  reset(): void {
    this.#vain = 0;
  }

  /** Takes how many files have been marked in all by the end of a listing that found some without a mark. */
  add(marks: number): void {
    this.#vain = marks === this.#marksBefore ? this.#vain + 1 : 0;
    this.#marksBefore = marks;
  }

  /** Too many for a scan that ends by itself. */
  get tooMany(): boolean {
    return this.#vain >= MAX_VAIN;
  }

  /** How long to wait before the next listing, in ms, so that no processor is kept busy; 0 where marks were set. */
  get waitMs(): number {
    return this.#vain <= 1 ? 0 : Math.min(FIRST_WAIT_MS * 2 ** this.#vain, LONGEST_WAIT_MS);
  }
}
