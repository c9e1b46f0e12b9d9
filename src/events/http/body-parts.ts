import { isUtf8 } from 'node:buffer';
import { HttpError } from '../../http/handler.ts';
import { member } from '../parse/json-fields.ts';
import { MAX_BODY_BYTES } from '../parse/parse-message.ts';
import type { MessageParts, RecordSource } from '../parse/parsed.ts';
import { RecordOfMany } from '../parse/record-texts.ts';
import { findRecords, type FoundRecords } from './find-records.ts';

const BYTE_ORDER_MARK = Buffer.from([0xef, 0xbb, 0xbf]);

/**
 * A body in its bytes. What it tells beside its records is parsed at once, and each record when it is asked for: ten thousand of
 * them, parsed together, take several times the memory of the body.
 */
export class BodyParts implements MessageParts {
  readonly bytes: Buffer;
  readonly value: unknown;
  readonly #found: FoundRecords;
  /** Where in the ends of the found ones those begin that count: the last list, where none of that name follows it. */
  readonly #first: number;

  /** @throws HttpError 400 not UTF-8, or not JSON; 413 more than a message may have */
  constructor(bytes: Uint8Array) {
    const all = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    if (!isUtf8(all)) throw new HttpError(400, 'the body is not UTF-8');
    this.bytes = all.subarray(0, 3).equals(BYTE_ORDER_MARK) ? all.subarray(3) : all;
    this.#found = findRecords(this.bytes);
    this.value = parsed(this.#others());
    const { ends, last } = this.#found;
    this.#first = Array.isArray(member(this.value, 'Records')) ? last : ends.length;
    // These are nobody's, but the body is JSON only where they are.
    for (let at = 0; at < this.#first; at += 2) parsed(this.#text(at));
  }

  get count(): number {
    return (this.#found.ends.length - this.#first) / 2;
  }

  /** @throws HttpError 400 not JSON */
  record(index: number): unknown {
    return parsed(this.#text(this.#first + 2 * index));
  }

  source(index: number): RecordSource {
    return new RecordOfMany(this, index);
  }

  body(index: number): string {
    return `{"Records":[${this.#text(this.#first + 2 * index)}]}`;
  }

  /** @throws HttpError 413 for more than any queue takes */
  whole(): string {
    if (this.bytes.length > MAX_BODY_BYTES)
      throw new HttpError(413, `the body is longer than ${MAX_BODY_BYTES} bytes, and no list of events`);
    return this.bytes.toString();
  }

  /** With empty lists of records. */
  #others(): string {
    const { lists } = this.#found;
    let [text, from] = ['', 0];
    for (let at = 0; at < lists.length; at += 2) {
      text += this.bytes.toString('utf8', from, lists[at]);
      from = lists[at + 1] ?? 0;
    }
    return text + this.bytes.toString('utf8', from);
  }

  /** @param at of its begin, in `ends` */
  #text(at: number): string {
    const { ends } = this.#found;
    return this.bytes.toString('utf8', ends[at], ends[at + 1]);
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new HttpError(400, 'the message is not JSON');
  }
}
