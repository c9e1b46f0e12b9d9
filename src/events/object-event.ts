/** Whose way of telling about an object a message was written in. */
export type Dialect = 'aws' | 'eventbridge' | 'minio' | 'ceph' | 'vk';

/**
 * That an object was put or removed, as a store told it. It is a hint: events come twice, late, out of order or not at all,
 * so whoever acts on one asks the bucket how the key is now.
 */
export interface ObjectEvent {
  readonly kind: 'created' | 'removed';
  readonly dialect: Dialect;
  /** As it was sent, without `s3:`: `ObjectCreated:Put`, `LifecycleExpiration:Delete`. */
  readonly name: string;
  /** See isBucketName. */
  readonly bucket: string;
  /** Where the bucket is, in the store's own words, with the form of a label of a host name; undefined where it does not tell. */
  readonly region: string | undefined;
  /** Decoded: as requests for the object take it. Well-formed Unicode of 1 to 1,024 bytes, and safe as a path in no way. */
  readonly key: string;
  /** Bytes. */
  readonly size: number | undefined;
  /** Without quotes. */
  readonly etag: string | undefined;
  readonly versionId: string | undefined;
  /** Hexadecimal. Orders the events of one key in the dialects of AWS (`aws`, `eventbridge`): see {@link compareSequencers}. */
  readonly sequencer: string | undefined;
  /** When it happened, by the store's clock, in ms since the epoch. */
  readonly timeMs: number | undefined;
}

/** How far ahead of our clock the time of an event may be, in ms: as far as S3 lets clocks differ. */
const MOST_AHEAD_MS = 15 * 60_000;
/** With these a sequencer of AWS tells when it was made, in seconds since the epoch. */
const DIGITS_OF_SECONDS = 8;

/**
 * `event` without its time, or its sequencer, where that has not come yet: remembered, it would make what happens until then look
 * older, and a stranger who may write to the queue could write any.
 */
export function withoutFuture(event: ObjectEvent, nowMs = Date.now()): ObjectEvent {
  const { timeMs, sequencer } = event;
  const latestMs = nowMs + MOST_AHEAD_MS;
  const isLate = timeMs !== undefined && timeMs > latestMs;
  const isHigh = sequencer !== undefined && orderOf(event) !== undefined && isAfter(sequencer, latestMs);
  if (!isLate && !isHigh) return event;
  return { ...event, timeMs: isLate ? undefined : timeMs, sequencer: isHigh ? undefined : sequencer };
}

/**
 * Compares two sequencers of AWS, of one key: negative where `a` is the older one. They are hexadecimal and of different
 * lengths; the shorter one is filled up with zeros on its right. S3 writes a byte of zeros first, which EventBridge leaves out.
 * https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
 */
export function compareSequencers(a: string, b: string): number {
  const length = Math.max(a.length, b.length);
  const [left, right] = [a, b].map((each) => digitsOf(each).padEnd(length, '0'));
  if (left === right) return 0;
  return (left ?? '') < (right ?? '') ? -1 : 1;
}

/**
 * Whether a sequencer of AWS was made after `timeMs`. That it begins with a time is what all of them have in common, and promised
 * nowhere: were it to end, none would be believed any more, and times decide.
 */
export function isAfter(sequencer: string, timeMs: number): boolean {
  const seconds = digitsOf(sequencer).slice(0, DIGITS_OF_SECONDS).padEnd(DIGITS_OF_SECONDS, '0');
  return Number.parseInt(seconds, 16) * 1000 > timeMs;
}

function digitsOf(sequencer: string): string {
  return sequencer.toUpperCase().replace(/^00/, '');
}

/** The sequencer, where it can be compared: those of other stores than AWS say nothing of the order. */
export function orderOf({ dialect, sequencer }: ObjectEvent): string | undefined {
  return dialect === 'aws' || dialect === 'eventbridge' ? sequencer : undefined;
}
