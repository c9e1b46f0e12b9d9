import type { Stored } from '../../../s3/objects.ts';

/** Keys in a row that the target did not have, until the next one is taken for new, too. */
const ENOUGH = 8;

/**
 * Guesses whether the target has a key. Where new objects come by the thousand, asking about each beforehand is a request too
 * many: they are put on condition that the key is free. That is done only once the target has shown that it heeds the condition,
 * because one that does not would have an equal object written again.
 */
export class NewKeys {
  #heeds: boolean | undefined;
  #inARow = 0;

  /** Whether the next key may be put on condition. */
  get isLikely(): boolean {
    return this.#heeds === true && this.areMany;
  }

  /** Whether the target lacked the last keys. */
  get areMany(): boolean {
    return this.#inARow >= ENOUGH;
  }

  /** Notes whether the target had a key. */
  found(isThere: boolean): void {
    this.#inARow = isThere ? 0 : this.#inARow + 1;
  }

  /**
   * Finds out once whether the target heeds the condition, with an object that was put just now.
   * @param put puts it again, if the key is free
   */
  async learn(put: () => Promise<Stored | 'in use' | 'unsupported'>): Promise<void> {
    if (this.#heeds !== undefined) return;
    this.#heeds = false;
    this.#heeds = (await put().catch(() => undefined)) === 'in use';
  }
}
