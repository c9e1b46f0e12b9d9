import { awsTestEvent } from './dialects/aws.ts';
import { readEventBridge } from './dialects/eventbridge.ts';
import { readRecord } from './dialects/records.ts';
import { openSns } from './dialects/sns.ts';
import { isObject, member } from './json-fields.ts';
import type { MessageParts, ParsedRecord, ParseOptions, RecordSource } from './parsed.ts';
import { readJson } from './read-json.ts';
import { TextParts } from './text-parts.ts';
import { checkTold } from './told-event.ts';

/** Longest message, in bytes of UTF-8: what SQS carries since 2025. */
export const MAX_BODY_BYTES = 1024 * 1024;
/** Most records in a message. AWS sends one, and the smallest record that tells anything takes some hundred bytes. */
export const MAX_RECORDS = 10_000;
/** Most objects and lists in a message, as {@link readJson} counts them. 1 MiB of real records has 15,000. */
export const MAX_BRACKETS = 40_000;

/**
 * What the records of a message say, in their order, in whatever dialect it is written. Never throws: what can't be
 * understood is `unparsable`, one record alone where the others can be, else the message as a whole.
 */
export function parseMessage(body: string, options: ParseOptions): readonly ParsedRecord[] {
  const whole: RecordSource = { body: () => body };
  if (isLonger(body, MAX_BODY_BYTES))
    return unparsable(`the message is longer than ${MAX_BODY_BYTES} bytes`, whole);
  const read = readJson(body, MAX_BRACKETS);
  if ('fault' in read) return unparsable(read.fault, whole);
  return [...parseParts(new TextParts(body, read.value), whole, options)];
}

/**
 * As parseMessage, of a message that was read under limits of the caller's own; `whole` is all of it. A record is read when it is
 * asked for, and what reading it throws is thrown then.
 */
export function parseParts(
  parts: MessageParts,
  whole: RecordSource,
  options: ParseOptions,
): Iterable<ParsedRecord> {
  const envelope = openSns(parts.value);
  if (envelope === undefined) return parseContent(parts, whole, options);
  if (envelope.kind === 'subscription') return ignored(envelope.name);
  const inner = readJson(envelope.text, MAX_BRACKETS);
  if ('fault' in inner) return unparsable(inner.fault, whole);
  return parseContent(new TextParts(envelope.text, inner.value), whole, options);
}

function parseContent(
  parts: MessageParts,
  whole: RecordSource,
  options: ParseOptions,
): Iterable<ParsedRecord> {
  const { value } = parts;
  if (!isObject(value) || Array.isArray(value)) return unparsable('the message is no JSON object', whole);
  const records = member(value, 'Records');
  if (records !== undefined) return parseRecords(records, parts, whole, options);
  if (Object.hasOwn(value, 'detail-type')) return [checkTold(readEventBridge(value), whole, options)];
  const test = awsTestEvent(value);
  if (test !== undefined) return ignored(test);
  return unparsable('the message is of no kind that tells of objects', whole);
}

function parseRecords(
  records: unknown,
  parts: MessageParts,
  whole: RecordSource,
  options: ParseOptions,
): Iterable<ParsedRecord> {
  if (!Array.isArray(records)) return unparsable('the Records of the message are no list', whole);
  if (parts.count > MAX_RECORDS) return unparsable(`the message has more than ${MAX_RECORDS} records`, whole);
  if (parts.count === 0) return ignored('no records');
  return parts.count === 1 ? [parseRecord(parts.record(0), whole, options)] : parseMany(parts, options);
}

function* parseMany(parts: MessageParts, options: ParseOptions) {
  for (let index = 0; index < parts.count; index++)
    yield parseRecord(parts.record(index), parts.source(index), options);
}

function parseRecord(record: unknown, source: RecordSource, options: ParseOptions): ParsedRecord {
  const told = readRecord(record);
  return typeof told === 'string'
    ? { outcome: 'unparsable', reason: told, source }
    : checkTold(told, source, options);
}

function unparsable(reason: string, source: RecordSource): readonly ParsedRecord[] {
  return [{ outcome: 'unparsable', reason, source }];
}

/** What AWS sends beside events. */
function ignored(name: string): readonly ParsedRecord[] {
  return [{ outcome: 'ignored', dialect: 'aws', name }];
}

/** Counts bytes only where `text` could be too long: a UTF-16 unit is at most three bytes of UTF-8. */
function isLonger(text: string, bytes: number): boolean {
  return text.length * 3 > bytes && Buffer.byteLength(text) > bytes;
}
