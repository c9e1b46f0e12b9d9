import { member } from './json-fields.ts';
import type { MessageParts, RecordSource } from './parsed.ts';
import { RecordOfMany, RecordTexts } from './record-texts.ts';

/** A message that was parsed as a whole. Its sources keep the text alone. */
export class TextParts implements MessageParts {
  readonly value: unknown;
  readonly #texts: RecordTexts;
  readonly #records: readonly unknown[];

  /** @param value what was read from `text` */
  constructor(text: string, value: unknown) {
    this.value = value;
    this.#texts = new RecordTexts(text);
    const records = member(value, 'Records');
    this.#records = Array.isArray(records) ? records : [];
  }

  get count(): number {
    return this.#records.length;
  }

  record(index: number): unknown {
    return this.#records[index];
  }

  source(index: number): RecordSource {
    return new RecordOfMany(this.#texts, index);
  }
}
