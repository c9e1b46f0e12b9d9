/** Answers in a row that were of no use, after which the SDK alone asks for {@link PAUSE_MS}. */
const MOST_USELESS = 8;
/** In ms: a server that is away for a while does not make a process slow for good, and costs nothing here meanwhile. */
const PAUSE_MS = 30_000;

/** Whether requests of one kind are worth a try without the SDK. */
export class Useful {
  #useless = 0;
  /** On the clock of performance.now(). */
  #pausedUntilMs = 0;

  /**
   * What `ask` makes of an answer; undefined where the SDK must ask: the answer, or none, was of no use, as with an error, or none
   * has been lately. What its caller has given up says nothing.
   */
  async try<T>(ask: () => Promise<T | undefined>, signal: AbortSignal | undefined): Promise<T | undefined> {
    if (performance.now() < this.#pausedUntilMs) return undefined;
    const told = await ask().catch(() => undefined);
    if (told !== undefined) this.#useless = 0;
    else if (signal?.aborted !== true && ++this.#useless >= MOST_USELESS) {
      this.#useless = 0;
      this.#pausedUntilMs = performance.now() + PAUSE_MS;
    }
    return told;
  }
}
