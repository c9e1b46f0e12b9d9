import { listObjects, type ListedObject } from '../../s3/objects.ts';
import type { Bucket } from '../../s3/requests.ts';
import { comparesBefore } from '../../s3/sorted-keys.ts';
import type { Candidate } from './candidate.ts';

/** Keys that a page of a listing should tell of, on average: else a request for each key costs less. */
const WORTH = 20;
/** Pages that are tried before anything is known of the order of the keys. */
const FIRST_TRIES = 3;

/**
 * Adds what the bucket has under each key, as far as pages of its listing tell that come one after the other: of a list in any order
 * while the bucket is nearly empty, and of a list in the order of its keys always. Of the others nobody has looked. Holds one page.
 */
export async function* withKept(
  candidates: AsyncIterable<Candidate>,
  {
    bucket,
    prefix,
    signal,
  }: { readonly bucket: Bucket; readonly prefix: string; readonly signal: AbortSignal },
): AsyncGenerator<Candidate> {
  let window: Window | undefined;
  let [pages, told] = [0, 0];
  for await (const candidate of candidates) {
    if (candidate.kind !== 'key' || candidate.kept !== 'unknown') {
      yield candidate;
      continue;
    }
    const key = prefix + candidate.key.key;
    if (window?.has(key) !== true && (pages < FIRST_TRIES || told >= pages * WORTH)) {
      window = await openWindow(bucket, prefix, key, signal);
      pages += 1;
    }
    if (window?.has(key) === true) {
      told += 1;
      yield { ...candidate, kept: window.objects.get(key) };
    } else yield candidate;
  }
}

interface Window {
  readonly objects: ReadonlyMap<string, ListedObject>;
  /** Whether the page would have the key, if the bucket had it. */
  has(key: string): boolean;
}

/** The page of the listing that begins with `key`, or where it would be. */
async function openWindow(bucket: Bucket, prefix: string, key: string, signal: AbortSignal): Promise<Window> {
  // What begins a key is before it; and no character is cut into two.
  const start = Array.from(key).slice(0, -1).join('');
  const startAfter = start.length > prefix.length ? start : undefined;
  const objects = new Map<string, ListedObject>();
  let last = key;
  let isWhole = true;
  for await (const object of listObjects(bucket, prefix, { signal, startAfter })) {
    objects.set(object.key, object);
    last = object.key;
    isWhole = objects.size < bucket.page;
    // One more would cost another page.
    if (!isWhole) break;
  }
  return {
    objects,
    has: (key) =>
      (startAfter === undefined || comparesBefore(startAfter, key)) &&
      (isWhole || !comparesBefore(last, key)),
  };
}
