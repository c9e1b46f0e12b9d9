/** What a probe has found holds for so long, in ms: whoever asks more often costs nothing. */
const HOLDS_MS = 1000;
/** A probe that takes longer, in ms, tells that the bucket does not answer. */
const PATIENCE_MS = 5000;

const STOPPING = 'the mirror is stopping';

/** Whether the bucket answers. */
export class Readiness {
  readonly #probe: (signal: AbortSignal) => Promise<unknown>;
  #isEnding = false;
  #checkedMs = -Infinity;
  #checking: Promise<string | undefined> | undefined;
  #reason: string | undefined;

  /** @param probe rejects where the bucket can't be used */
  constructor(probe: (signal: AbortSignal) => Promise<unknown>) {
    this.#probe = probe;
  }

  /** No more requests should come. */
  ending(): void {
    this.#isEnding = true;
  }

  /** Why it is not ready, as far as known; a later call knows more. */
  get reason(): string | undefined {
    void this.check();
    return this.#isEnding ? STOPPING : this.#reason;
  }

  /** Never rejects. */
  async check(): Promise<string | undefined> {
    if (this.#isEnding) return STOPPING;
    if (performance.now() - this.#checkedMs < HOLDS_MS) return this.#reason;
    this.#checking ??= this.#check();
    return await this.#checking;
  }

  async #check(): Promise<string | undefined> {
    try {
      await this.#probe(AbortSignal.timeout(PATIENCE_MS));
      this.#reason = undefined;
    } catch (error) {
      this.#reason = error instanceof Error ? error.message : String(error);
    }
    this.#checkedMs = performance.now();
    this.#checking = undefined;
    return this.#reason;
  }
}
