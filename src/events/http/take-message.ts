import { createHash } from 'node:crypto';
import type { ParkedRecord } from '../parking/parking.ts';
import { parseParts } from '../parse/parse-message.ts';
import type { KeyEncoding, ParsedRecord, RecordSource } from '../parse/parsed.ts';
import type { BodyParts } from './body-parts.ts';
import { MAX_PARKED_OF_ONE, PIECE_SIZE } from './webhook-limits.ts';

/** What is put into the queue: `body` is a message of one record, for parseMessage. */
export interface QueueMessage {
  /** Unique; begins with the id of the request. */
  readonly id: string;
  readonly body: string;
}

export type ToPark = Omit<ParkedRecord, 'id' | 'at'>;

/** What becomes of the records of one body. */
export interface Taken {
  readonly good: GoodRecords;
  readonly parked: readonly ToPark[];
  /** Names of what concerns no object. */
  readonly ignored: readonly string[];
}

/**
 * Records for the queue. Their messages are made piece by piece: those of ten thousand records at once take the memory of the body
 * again, and as much once more on their way to the disk.
 */
export class GoodRecords {
  readonly #id: string;
  readonly #sources: RecordSource[] = [];

  /** @param id of the request */
  constructor(id: string) {
    this.#id = id;
  }

  get count(): number {
    return this.#sources.length;
  }

  add(source: RecordSource): void {
    this.#sources.push(source);
  }

  /** In their order, each piece of about {@link PIECE_SIZE}. */
  *pieces(): Generator<readonly QueueMessage[]> {
    let piece: QueueMessage[] = [];
    let size = 0;
    for (const [index, source] of this.#sources.entries()) {
      const body = source.body();
      piece.push({ id: `${this.#id}-${index}`, body });
      size += body.length;
      if (size < PIECE_SIZE) continue;
      yield piece;
      piece = [];
      size = 0;
    }
    if (piece.length > 0) yield piece;
  }
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
 * @throws HttpError 400: a record is not JSON; 413: the body is too long for a message, and not made of records
 */
export function takeMessage(parts: BodyParts, { id, keyEncoding, buckets }: TakeOptions): Taken {
  const whole = { body: () => parts.whole() };
  const good = new GoodRecords(id);
  const parked: ToPark[] = [];
  const ignored: string[] = [];
  let messageId: string | undefined;
  let bad = 0;
  for (const record of parseParts(parts, whole, { keyEncoding })) {
    if (record.outcome === 'ignored') {
      ignored.push(record.name);
      continue;
    }
    const why = whyParked(record, buckets);
    if (why === undefined) good.add(record.source);
    else if (++bad <= MAX_PARKED_OF_ONE) {
      messageId ??= contentId(parts.bytes);
      parked.push({ messageId, ...why, body: record.source.body() });
    }
  }
  if (messageId === undefined || bad <= MAX_PARKED_OF_ONE) return { good, parked, ignored };
  // Taken again as a whole, those that were good do no harm: an event is a hint.
  const reason = `the message has ${bad} records that can't be taken; the first: ${parked[0]?.reason ?? ''}`;
  const all = { messageId, code: 'EVENT_INVALID', reason, ...NO_OBJECT, body: parts.whole() } as const;
  return { good, parked: [all], ignored };
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
function contentId(body: string | Buffer): string {
  return `sha256:${createHash('sha256').update(body).digest('hex').slice(0, 32)}`;
}
