import { isBucketName } from '../../model/bucket-name.ts';
import type { Dialect, ObjectEvent } from '../object-event.ts';
import { decodeKey, type WrittenKey } from './object-key.ts';
import { countOf, textLike } from './json-fields.ts';
import type { ParsedRecord, ParseOptions, RecordSource } from './parsed.ts';

/** What a message tells of one event, still of any type: a dialect knows where it stands, and nothing more. */
export interface ToldEvent {
  readonly dialect: Dialect;
  readonly name: unknown;
  /** What the event of that name is; undefined for one that is nothing to us. */
  readonly kindOf: (name: string) => ObjectEvent['kind'] | undefined;
  readonly bucket: unknown;
  readonly key: unknown;
  readonly writtenKey: WrittenKey;
  readonly region: unknown;
  readonly size: unknown;
  readonly etag: unknown;
  readonly versionId: unknown;
  readonly sequencer: unknown;
  readonly time: unknown;
}

/** The longest name of AWS, MinIO and Ceph has 50 characters. Names become labels of metrics and stand in log lines. */
const EVENT_NAME = /^[\x20-\x7e]{1,100}$/;
/** One label of a host name, because it becomes one. */
const REGION = /^[A-Za-z0-9-]{1,63}$/;
/** A digest, and for a multipart upload its number of parts. Some stores have others; none is this long. */
const ETAG = /^[\x21-\x7e]{1,128}$/;
/** Printable, at most as long as S3 allows: 1,024 bytes. */
const VERSION_ID = /^[\x21-\x7e]{1,1024}$/;
/** Hexadecimal; AWS has up to 18 digits. */
const SEQUENCER = /^[0-9A-Fa-f]{1,64}$/;
/** ISO 8601 with seconds and an offset: a time without one could be anybody's. Ceph gives microseconds. */
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)$/;

/**
 * Checks what was told. Name, bucket and key must be there and of the right form, or nobody could act on the event; of the rest,
 * what has not its form counts as not told.
 */
export function checkTold(told: ToldEvent, source: RecordSource, options: ParseOptions): ParsedRecord {
  const unparsable = (reason: string): ParsedRecord => ({ outcome: 'unparsable', reason, source });

  const name = eventName(told.name);
  if (name === undefined) return unparsable(`the name of the event ${fault(told.name)}`);
  const kind = told.kindOf(name);
  if (kind === undefined) return { outcome: 'ignored', dialect: told.dialect, name };

  const { bucket } = told;
  if (typeof bucket !== 'string' || !isBucketName(bucket))
    return unparsable(`the name of the bucket ${fault(bucket)}`);
  if (typeof told.key !== 'string' || told.key === '') return unparsable(`the key ${fault(told.key)}`);
  const decoded = decodeKey(told.key, told.writtenKey, options.keyEncoding);
  if ('fault' in decoded) return unparsable(`the key ${decoded.fault}`);

  const event: ObjectEvent = {
    kind,
    dialect: told.dialect,
    name,
    bucket,
    region: textLike(REGION, told.region),
    key: decoded.key,
    size: countOf(told.size),
    etag: textLike(ETAG, unquoted(told.etag)),
    versionId: textLike(VERSION_ID, told.versionId),
    sequencer: sequencer(told.sequencer),
    timeMs: timeMs(told.time),
  };
  return { outcome: 'event', event, source };
}

/** Without `s3:`, and without the blanks behind colons that the documentation of VK Cloud prints. */
function eventName(value: unknown): string | undefined {
  const name = textLike(EVENT_NAME, value)?.replaceAll(': ', ':').replace(/^s3:/, '');
  return name === '' ? undefined : name;
}

function fault(value: unknown): string {
  if (value === undefined || value === null) return 'is missing';
  if (typeof value !== 'string') return 'is no text';
  return value === '' ? 'is empty' : 'has a form that none can have';
}

function unquoted(value: unknown): unknown {
  return typeof value === 'string' ? value.replace(/^"(.*)"$/, '$1') : value;
}

function sequencer(value: unknown): string | undefined {
  return typeof value === 'number' ? countOf(value)?.toString() : textLike(SEQUENCER, value);
}

function timeMs(value: unknown): number | undefined {
  const time = Date.parse(textLike(TIME, value) ?? '');
  return Number.isNaN(time) ? undefined : time;
}
