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

/**
 * `event` without its time where that has not come yet: remembered, it would make what happens until then look older, and a
 * stranger who may write to the queue could write any.
 */
export function withoutFutureTime(event: ObjectEvent, nowMs = Date.now()): ObjectEvent {
  if (event.timeMs === undefined || event.timeMs <= nowMs + MOST_AHEAD_MS) return event;
  return { ...event, timeMs: undefined };
}

/**
 * Compares two sequencers of AWS, of one key: negative where `a` is the older one. They are hexadecimal and of different
 * lengths; the shorter one is filled up with zeros on its right.
 * https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
 */
export function compareSequencers(a: string, b: string): number {
  const length = Math.max(a.length, b.length);
  const [left, right] = [a, b].map((each) => each.toUpperCase().padEnd(length, '0'));
  if (left === right) return 0;
  return (left ?? '') < (right ?? '') ? -1 : 1;
}

/** The sequencer, where it can be compared: those of other stores than AWS say nothing of the order. */
export function orderOf({ dialect, sequencer }: ObjectEvent): string | undefined {
  return dialect === 'aws' || dialect === 'eventbridge' ? sequencer : undefined;
}
