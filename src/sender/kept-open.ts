/** Most files on their way that stay open in this process: as many as are unconfirmed at a receiver. */
const MOST = 512;
/** Of the files that a process may have open, these take one part in so many at most: the rest is for all else. */
const PART = 4;
/** Of a process that does not know how many it may have. */
const USUAL_LIMIT = 1024;

/**
 * Counts the files that stay open from their read until they are marked, which saves each of them two looks by its path, an open and a close.
 * Those beyond the count are closed after the read and opened again.
 */
export class KeptOpen {
  #free: number;

  /** `limit`: how many files this process may have open; undefined where that is not known. */
  constructor(limit: number | undefined) {
    this.#free = Math.min(MOST, Math.floor((limit ?? USUAL_LIMIT) / PART));
  }

  /** Whether one more may stay open. Each that does is given back once. */
  take(): boolean {
    if (this.#free <= 0) return false;
    this.#free--;
    return true;
  }

  giveBack(): void {
    this.#free++;
  }

  /** Files have run out all the same: from now on none stays open. */
  ranOut(): void {
    this.#free = -Infinity;
  }
}
