import { elementTexts } from './element-texts.ts';
import type { RecordSource } from './parsed.ts';

/** Each record of a message as a message of its own. */
interface RecordBodies {
  body(index: number): string;
}

/**
 * The text of a message, shared by its records while they wait. What was parsed of it is not kept: that may be many times
 * as large.
 */
export class RecordTexts implements RecordBodies {
  readonly #text: string;
  #texts: readonly string[] | undefined;

  constructor(text: string) {
    this.#text = text;
  }

  body(index: number): string {
    this.#texts ??= elementTexts(this.#text, 'Records');
    return `{"Records":[${this.#texts[index]}]}`;
  }
}

/** One record among others. A class, because there may be ten thousand of them: a closure takes thrice its bytes. */
export class RecordOfMany implements RecordSource {
  readonly #bodies: RecordBodies;
  readonly #index: number;

  constructor(bodies: RecordBodies, index: number) {
    this.#bodies = bodies;
    this.#index = index;
  }

  body(): string {
    return this.#bodies.body(this.#index);
  }
}
