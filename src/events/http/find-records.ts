import { HttpError } from '../../http/handler.ts';
import { MAX_RECORDS } from '../parse/parse-message.ts';
import { MAX_PART_BRACKETS, MAX_PART_BYTES, MAX_PART_COMMAS } from './webhook-limits.ts';

/** Where the records of a message stand, in bytes. */
export interface FoundRecords {
  /** Begin and end of what stands in each list of that name, in turns. */
  readonly lists: readonly number[];
  /** Begin and end of each of its elements, in turns. */
  readonly ends: readonly number[];
  /** Where in `ends` those of the last list begin. They count, as in JSON.parse. */
  readonly last: number;
}

const NAME = 'Records';
/** With each letter written as an escape. */
const LONGEST_NAME = 6 * NAME.length + 2;
const [QUOTE, BACKSLASH, COMMA] = codes('"\\,');
const [OPEN_LIST, CLOSE_LIST, OPEN_OBJECT, CLOSE_OBJECT] = codes('[]{}');
const BLANKS: ReadonlySet<number | undefined> = new Set(codes(' \t\r\n'));

/**
 * Finds the records of the message `json` by its quotes and brackets alone. Whether it is JSON, whoever parses the parts learns: it is
 * where each record is, and all else together with empty lists.
 * @throws HttpError 413: too many records; or a part, which is a record or all else, that would take too much memory parsed
 */
export function findRecords(json: Buffer): FoundRecords {
  const [lists, ends]: [number[], number[]] = [[], []];
  let last = 0;
  let [depth, brackets, commas] = [0, 0, 0];
  let isObject = false;
  /** The last text of the outermost object: in front of a list it is the list's name. */
  let [nameFrom, nameTo] = [0, 0];
  /** The list at hand, and its element. */
  let list: Place | undefined;
  let element: Place = { at: 0, brackets, commas };
  /** What all lists have. */
  const apart = { bytes: 0, brackets: 0, commas: 0 };
  // An iterator would make an object for each byte.
  for (let at = 0; at < json.length; at++) {
    const byte = json[at];
    if (byte === QUOTE) {
      const from = at;
      for (at++; at < json.length && json[at] !== QUOTE; at++) if (json[at] === BACKSLASH) at++;
      if (depth === 1) [nameFrom, nameTo] = [from, at + 1];
    } else if (byte === OPEN_LIST || byte === OPEN_OBJECT) {
      brackets++;
      depth++;
      if (depth === 1) isObject = byte === OPEN_OBJECT;
      if (depth !== 2 || byte !== OPEN_LIST || !isObject || !isRecords(json, nameFrom, nameTo)) continue;
      list = element = { at: at + 1, brackets, commas };
      last = ends.length;
    } else if (byte === CLOSE_LIST || byte === CLOSE_OBJECT) {
      depth--;
      if (depth !== 1 || list === undefined) continue;
      if (ends.length > last || !isBlank(json, list.at, at)) endElement(at);
      lists.push(list.at, at);
      apart.bytes += at - list.at;
      apart.brackets += brackets - list.brackets;
      apart.commas += commas - list.commas;
      list = undefined;
    } else if (byte === COMMA) {
      if (depth === 2 && list !== undefined) {
        endElement(at);
        element = { at: at + 1, brackets, commas };
      } else commas++;
    }
  }
  check(json.length - apart.bytes, brackets - apart.brackets, commas - apart.commas);
  return { lists, ends, last };

  function endElement(at: number): void {
    check(at - element.at, brackets - element.brackets, commas - element.commas);
    ends.push(element.at, at);
    if (ends.length > 2 * MAX_RECORDS)
      throw new HttpError(413, `the message has more than ${MAX_RECORDS} records`);
  }
}

/** A place in the message, and what stands before it. */
interface Place {
  readonly at: number;
  readonly brackets: number;
  readonly commas: number;
}

function check(bytes: number, brackets: number, commas: number): void {
  if (bytes > MAX_PART_BYTES)
    throw new HttpError(413, `a record is longer than ${MAX_PART_BYTES} bytes, or no event of that length`);
  if (brackets > MAX_PART_BRACKETS)
    throw new HttpError(413, `a record has more than ${MAX_PART_BRACKETS} objects and lists`);
  if (commas > MAX_PART_COMMAS) throw new HttpError(413, `a record has more than ${MAX_PART_COMMAS} commas`);
}

function isRecords(json: Buffer, from: number, to: number): boolean {
  if (to - from > LONGEST_NAME) return false;
  const text = json.toString('latin1', from, to);
  if (text === `"${NAME}"`) return true;
  try {
    return text.includes('\\') && JSON.parse(text) === NAME;
  } catch {
    return false;
  }
}

function isBlank(json: Buffer, from: number, to: number): boolean {
  for (let at = from; at < to; at++) if (!BLANKS.has(json[at])) return false;
  return true;
}

function codes(text: string): number[] {
  return [...Buffer.from(text)];
}
