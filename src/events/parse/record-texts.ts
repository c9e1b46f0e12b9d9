import { elementTexts } from './element-texts.ts';
import type { RecordSource } from './parsed.ts';

/**
 * The text of a message, shared by its records while they wait. What was parsed of it is not kept: that may be many times
 * as large.
 */
export class RecordTexts {
  readonly #text: string;
  #texts: readonly string[] | undefined;

  constructor(text: string) {
    this.#text = text;
  }

  /** As a message of its own. */
  body(index: number): string {
    this.#texts ??= elementTexts(this.#text, 'Records');
    return `{"Records":[${this.#texts[index]}]}`;
  }
}

/** One record among others. A class, because there may be ten thousand of them: a closure takes thrice its bytes. */
export class RecordOfMany implements RecordSource {
  readonly #texts: RecordTexts;
  readonly #index: number;

  constructor(texts: RecordTexts, index: number) {
    this.#texts = texts;
    this.#index = index;
  }

  body(): string {
    return this.#texts.body(this.#index);
  }
}
