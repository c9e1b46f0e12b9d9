import { createHash } from 'node:crypto';
import { HttpError } from '../../http/handler.ts';
import { memberAt } from '../parse/json-fields.ts';
import type { ParkedRecord } from '../parking/parking.ts';
import { MAX_BODY_BYTES, MAX_RECORDS, parseValue } from '../parse/parse-message.ts';
import type { KeyEncoding, ParsedRecord } from '../parse/parsed.ts';
import { MAX_PARKED_OF_ONE } from './webhook-limits.ts';

/** What is put into the queue: `body` is a message of one record, for parseMessage. */
export interface QueueMessage {
  /** Unique; begins with the id of the request. */
  readonly id: string;
  readonly body: string;
}

export type ToPark = Omit<ParkedRecord, 'id' | 'at'>;

/** What becomes of the records of one body. */
export interface Taken {
  readonly messages: readonly QueueMessage[];
  readonly parked: readonly ToPark[];
  /** Names of what concerns no object. */
  readonly ignored: readonly string[];
}

export interface TakeOptions {
  /** Of the request. */
  readonly id: string;
  readonly keyEncoding: KeyEncoding;
  /** Events of other buckets are parked. Default: any. */
  readonly buckets: ReadonlySet<string> | undefined;
}

/**
 * Takes a body apart, so that each record goes its own way.
 * @param value what was read from `body`
 * @throws HttpError 413: too many records, or one that is too long for a message
 */
export function takeMessage(value: unknown, body: string, { id, keyEncoding, buckets }: TakeOptions): Taken {
  const records = memberAt(value, 'Records');
  if (Array.isArray(records) && records.length > MAX_RECORDS)
    throw new HttpError(413, `the message has more than ${MAX_RECORDS} records`);
  const messages: QueueMessage[] = [];
  const parked: ToPark[] = [];
  const ignored: string[] = [];
  const messageId = contentId(body);
  let bad = 0;
  for (const record of parseValue(value, body, { keyEncoding })) {
    if (record.outcome === 'ignored') {
      ignored.push(record.name);
      continue;
    }
    const why = whyParked(record, buckets);
    if (why === undefined) messages.push({ id: `${id}-${messages.length}`, body: boundedBody(record) });
    else if (++bad <= MAX_PARKED_OF_ONE) parked.push({ messageId, ...why, body: boundedBody(record) });
  }
  if (bad <= MAX_PARKED_OF_ONE) return { messages, parked, ignored };
  // Taken again as a whole, those that were good do no harm: an event is a hint.
  const reason = `the message has ${bad} records that can't be taken; the first: ${parked[0]?.reason ?? ''}`;
  const whole = { messageId, code: 'EVENT_INVALID', reason, ...NO_OBJECT, body: bounded(body) } as const;
  return { messages, parked: [whole], ignored };
}

/** To park what the queue takes at no time. */
export function notQueued({ body }: QueueMessage, reason: string): ToPark {
  return { messageId: contentId(body), code: 'EVENT_INVALID', reason, ...NO_OBJECT, body };
}

const NO_OBJECT = { hint: undefined, bucket: undefined, key: undefined };

type Why = Omit<ToPark, 'messageId' | 'body'>;

function whyParked(
  record: Exclude<ParsedRecord, { outcome: 'ignored' }>,
  buckets: ReadonlySet<string> | undefined,
): Why | undefined {
  if (record.outcome === 'unparsable') return { code: 'EVENT_INVALID', reason: record.reason, ...NO_OBJECT };
  const { bucket, key } = record.event;
  if (buckets?.has(bucket) !== false) return undefined;
  return {
    code: 'EVENT_INVALID',
    reason: `the bucket "${bucket}" is none of those that are followed`,
    hint: 'Add it to "buckets", or point its notification elsewhere; then take the record again.',
    bucket,
    key,
  };
}

/** The same for the same body, so that what comes again is parked once. */
function contentId(body: string): string {
  return `sha256:${createHash('sha256').update(body).digest('hex').slice(0, 32)}`;
}

function boundedBody({ source }: Exclude<ParsedRecord, { outcome: 'ignored' }>): string {
  return bounded(source.body());
}

/** Workers, and other queues, take no longer message. */
function bounded(body: string): string {
  // A UTF-16 unit is at most three bytes of UTF-8.
  if (body.length * 3 > MAX_BODY_BYTES && Buffer.byteLength(body) > MAX_BODY_BYTES)
    throw new HttpError(413, `a record is longer than ${MAX_BODY_BYTES} bytes, or no event of that length`);
  return body;
}
