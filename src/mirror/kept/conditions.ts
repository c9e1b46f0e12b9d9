import type { ConditionalPut } from '../../s3/conditional-put.ts';

/**
 * Finds out whether a bucket heeds `If-None-Match: *` on a PUT. Some servers say that they don't know it; others overwrite without a
 * word, which shows only when something is put where something stands.
 */
export class Conditions {
  #isHeeded: boolean | undefined;
  #isLearning = false;

  /** @param isHeeded where that is known, as of AWS */
  constructor(isHeeded: true | undefined) {
    this.#isHeeded = isHeeded;
  }

  /** Whether the condition alone is enough. Else somebody must look before. */
  get isHeeded(): boolean {
    return this.#isHeeded === true;
  }

  /** Whether there is no sense in sending one. */
  get isUnknown(): boolean {
    return this.#isHeeded === false;
  }

  /** What the server has said of a condition. */
  told(outcome: ConditionalPut): void {
    if (outcome === 'refused') this.#isHeeded = true;
    if (outcome === 'unsupported') this.#isHeeded ??= false;
  }

  /**
   * Once, with what was put just now.
   * @param again puts the same once more, if the key is free
   */
  async learn(again: () => Promise<ConditionalPut>): Promise<void> {
    if (this.#isHeeded !== undefined || this.#isLearning) return;
    this.#isLearning = true;
    try {
      const outcome = await again();
      if (outcome === 'refused') this.#isHeeded = true;
      else if (typeof outcome === 'object') this.#isHeeded ??= false;
    } catch {
      // The next one tells.
    } finally {
      this.#isLearning = false;
    }
  }
}
