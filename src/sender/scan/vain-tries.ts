/** Wait after the second try in vain, in ms; doubled with each further one. The first is followed by another at once. */
const FIRST_WAIT_MS = 400;
const LONGEST_WAIT_MS = 30_000;

/** Paces tries of one thing that come to nothing again and again, so that they keep neither a processor nor a link busy. */
export class VainTries {
  readonly #most: number;
  #tries = 0;

  /** @param most tries in vain after which a scan that ends by itself gives up */
  constructor(most: number) {
    this.#most = most;
  }

  /** A try came to something. */
  reset(): void {
    this.#tries = 0;
  }

  /** A try came to nothing. */
  add(): void {
    this.#tries++;
  }

  get tooMany(): boolean {
    return this.#tries >= this.#most;
  }

  /** How long to wait before the next try, in ms. */
  get waitMs(): number {
    return this.#tries <= 1 ? 0 : Math.min(FIRST_WAIT_MS * 2 ** (this.#tries - 2), LONGEST_WAIT_MS);
  }
}
