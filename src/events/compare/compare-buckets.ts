import type { MaxDelete } from '../../config/pull-values.ts';
import type { Abortable } from '../../model/abortable.ts';
import type { ListedObject } from '../../s3/objects.ts';
import type { Difference } from './difference-message.ts';
import { MOST_GONE, mostOf, tooMuch } from './max-delete.ts';
import { comparesBefore, inOrder } from '../../s3/sorted-keys.ts';

/**
 * How much the clocks of two servers may differ, in ms: S3 takes no request whose time is further off.
 * https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-auth-using-authorization-header.html
 */
const CLOCKS_MS = 15 * 60_000;
const MD5 = /^[0-9a-f]{32}$/;
const MD5_OF_PARTS = /^[0-9a-f]{32}(-\d+)$/;

/** All keys of a bucket that begin with a prefix, in the order of their UTF-8 bytes. Called once a walk. */
type List = (bucket: string, prefix: string) => AsyncIterable<ListedObject>;

export interface CompareBucketsOptions extends Abortable {
  /** All buckets whose objects are copied to the target: a copy whose object is in none of them is to go. */
  readonly source: {
    readonly buckets: readonly [string, ...string[]];
    /** Begins all keys that are copied. */
    readonly prefix: string;
    readonly list: List;
  };
  readonly target: {
    readonly bucket: string;
    /** In front of the whole key of the source. */
    readonly prefix: string;
    readonly list: List;
  };
  /** Whether both have one clock, because they are on one server. */
  readonly isOneServer: boolean;
  /** Whether removals are followed. */
  readonly removes: boolean;
  /** Share of the copies, or their number, that may be removed by one comparison. */
  readonly maxDelete: MaxDelete;
  /** Default {@link MOST_GONE}. */
  readonly mostGone?: number | undefined;
}

/** What has been compared so far. */
export interface Compared {
  /** Keys of the source. */
  readonly objects: number;
  readonly copies: number;
  /** Of the copies, those whose object is gone. */
  readonly gone: number;
}

/**
 * Walks both listings side by side, and gives each key that may differ: first those that are to be copied, as they are found,
 * then, once all have been counted, those that are to be removed. What can't be told from listings is given, too: whoever acts
 * on it looks. Needs memory for {@link MOST_GONE} keys, however many there are.
 * @throws IsyncError RESYNC_STOPPED where more would be removed than may be: all others have been given by then; STORE_FAILED,
 * not retryable, where a listing is not in order; and what the listings reject with
 */
export async function* compareBuckets(options: CompareBucketsOptions): AsyncGenerator<Difference, Compared> {
  const { maxDelete, mostGone = MOST_GONE } = options;
  const gone: Difference[] = [];
  const counts = { objects: 0, copies: 0, gone: 0 };
  for await (const { objects, copy } of pairs(options)) {
    counts.objects += objects.length;
    if (copy !== undefined) counts.copies += 1;
    const [first] = objects;
    if (first !== undefined) {
      const isCopied =
        copy !== undefined && objects.some((each) => !mayDiffer(each, copy, options.isOneServer));
      if (!isCopied) yield { kind: 'created', bucket: first.bucket, key: first.key };
    } else if (copy !== undefined) {
      counts.gone += 1;
      if (counts.gone <= mostGone) gone.push(removal(options, copy));
    }
  }
  if (!options.removes) return counts;
  const most = mostOf(maxDelete, counts.copies);
  if (counts.gone > most) throw tooMuch(counts.gone, most);
  yield* counts.gone > mostGone ? goneAgain(options, most) : gone;
  return counts;
}

/** The removals, by another walk: there are more of them than are kept. No more than may be, should that have changed. */
async function* goneAgain(options: CompareBucketsOptions, most: number): AsyncGenerator<Difference> {
  let count = 0;
  for await (const { objects, copy } of pairs(options)) {
    if (objects.length > 0 || copy === undefined) continue;
    count += 1;
    if (count > most) throw tooMuch(count, most);
    yield removal(options, copy);
  }
}

interface SourceObject extends ListedObject {
  readonly bucket: string;
}

/** What both sides have under a key. */
interface Pair {
  /** One of each bucket that has it. */
  readonly objects: readonly SourceObject[];
  readonly copy: ListedObject | undefined;
}

async function* pairs({ source, target, signal }: CompareBucketsOptions): AsyncGenerator<Pair> {
  const prefix = target.prefix + source.prefix;
  const copies = inOrder(target.list(target.bucket, prefix), target.bucket, prefix);
  try {
    let copy = await copies.next();
    for await (const objects of merged(source)) {
      signal?.throwIfAborted();
      const key = `${target.prefix}${objects[0]?.key}`;
      for (; copy.done !== true && comparesBefore(copy.value.key, key); copy = await copies.next())
        yield { objects: [], copy: copy.value };
      const has = copy.done !== true && copy.value.key === key ? copy.value : undefined;
      yield { objects, copy: has };
      if (has !== undefined) copy = await copies.next();
    }
    for (; copy.done !== true; copy = await copies.next()) {
      signal?.throwIfAborted();
      yield { objects: [], copy: copy.value };
    }
  } finally {
    await copies.return(undefined);
  }
}

/** The listings of all buckets as one: the objects of each key together. */
async function* merged({
  buckets,
  prefix,
  list,
}: CompareBucketsOptions['source']): AsyncGenerator<readonly SourceObject[]> {
  const listings = buckets.map((bucket) => inOrder(list(bucket, prefix), bucket, prefix));
  const next = async (index: number): Promise<SourceObject | undefined> => {
    const { value, done } = (await listings[index]?.next()) ?? { done: true };
    return done === true || value === undefined ? undefined : { ...value, bucket: buckets[index] ?? '' };
  };
  try {
    const heads = await Promise.all(buckets.map(async (_, index) => await next(index)));
    for (;;) {
      let least: string | undefined;
      for (const head of heads)
        if (head !== undefined && (least === undefined || comparesBefore(head.key, least))) least = head.key;
      if (least === undefined) return;
      const objects: SourceObject[] = [];
      for (const [index, head] of heads.entries()) {
        if (head?.key !== least) continue;
        objects.push(head);
        heads[index] = await next(index);
      }
      yield objects;
    }
  } finally {
    await Promise.all(listings.map(async (each) => await each.return(undefined)));
  }
}

function removal({ source, target }: CompareBucketsOptions, { key }: ListedObject): Difference {
  return { kind: 'removed', bucket: source.buckets[0], key: key.slice(target.prefix.length) };
}

/** Whether an object was put anew, or its copy is of another one, as far as listings tell. */
function mayDiffer(object: ListedObject, copy: ListedObject, isOneServer: boolean): boolean {
  if (copy.size !== object.size) return true;
  if (copy.etag !== object.etag && isComparable(copy.etag, object.etag)) return true;
  // Bytes that are the same may have been put again, with other metadata.
  const clocksMs = copy.etag === object.etag || isOneServer ? 0 : CLOCKS_MS;
  return copy.modifiedMs < object.modifiedMs + clocksMs;
}

/** Whether different ETags tell of different bytes: MD5 of the whole, or of as many parts. */
function isComparable(a: string, b: string): boolean {
  if (MD5.test(a) && MD5.test(b)) return true;
  const parts = MD5_OF_PARTS.exec(a)?.[1];
  return parts !== undefined && parts === MD5_OF_PARTS.exec(b)?.[1];
}
