import { type ListedObject, listObjects, type ListOptions } from '../../../s3/objects.ts';
import type { Copied } from '../../../s3/copy.ts';
import type { Bucket } from '../../../s3/requests.ts';
import { comparesBefore, shortlyBefore } from '../../../s3/sorted-keys.ts';
import type { ObjectEvent } from '../../object-event.ts';
import type { CopyLimits } from './copy-options.ts';
import type { SourceBuckets } from './source-buckets.ts';
import type { TargetBucket } from './target-bucket.ts';

/** How long the first copy waits for others, in ms: all that are made in that time are looked at together. */
const GATHER_MS = 2_000;
/** Copies that are looked at together, at most. */
const MOST_TOGETHER = 1_000;
/** Copies that wait or are being looked at, at most: the queue keeps their messages meanwhile. */
const MOST_WAITING = 2_000;
/** Fewer are looked at one by one. */
const LEAST_TOGETHER = 16;
/** Keys of a page: what one request gives, and for each copy that is yet to be found. */
const MOST_LISTED = 1_000;
const LISTED_PER_COPY = 8;
/** What a page costs, in looks at a key, by the work of both sides; and how many keys it tells for one more. */
const PAGE_LOOKS = 1;
const LISTED_PER_LOOK = 100;
/** Looks that pages may cost before they have saved any, and what each look by itself adds. */
const CREDIT = 64;
const CREDIT_PER_LOOK = 0.1;
/** A copy that took longer, in ms, is looked at by itself: meanwhile another worker may well have made one, too. */
const LONGEST_COPY_MS = 10_000;

/** A copy that the server has made of an object as it was then, in one piece. */
export interface MadeCopy extends Copied {
  readonly event: ObjectEvent;
  /** Of the copy. */
  readonly key: string;
  /** From before it was asked for until it was answered, in ms. */
  readonly tookMs: number;
}

interface Waiting {
  readonly copy: MadeCopy;
  readonly signal: AbortSignal;
  /** @param size undefined: it must be looked at by itself */
  readonly settle: (size: number | undefined) => void;
}

export interface ListedLooksNeeds {
  readonly source: SourceBuckets;
  readonly target: TargetBucket;
  readonly limits: Pick<CopyLimits, 'restMs'>;
}

/**
 * Looks at many copies by one listing of each side, in place of a HEAD of each object and each copy.
 *
 * A listing that is begun after a copy was answered is a look after it: it tells what has been put before (AWS, Ceph, MinIO). It
 * shows that the target has what the answer to the copy said, and of how many bytes. It shows that the object has the ETag that the
 * server copied, so that the copy has its bytes, whichever worker wrote last. Two versions of equal bytes may differ in
 * their metadata, which no listing tells: so the object must have been put well before the copy was asked for, and this is the
 * version that was copied. Whatever is not shown so (a newer version, an object that is gone, an ETag that is another one because of a
 * key of KMS, a listing that fails, or lags) says nothing: HEAD tells.
 */
export class ListedLooks {
  readonly #needs: ListedLooksNeeds;
  #copying = 0;
  #held = 0;
  #waiting: Waiting[] = [];
  #timer: NodeJS.Timeout | undefined;
  #credit = CREDIT;

  constructor(needs: ListedLooksNeeds) {
    this.#needs = needs;
  }

  /** Runs what makes a copy: as long as some are being made, those that are done wait for them. */
  async making<T>(copy: () => Promise<T>): Promise<T> {
    this.#copying += 1;
    try {
      return await copy();
    } finally {
      this.#copying -= 1;
      this.#lookSoon();
    }
  }

  /**
   * The size of an object whose copy is sound and of the object as it is now; undefined where it must be looked at by itself.
   * Never rejects.
   * @param waits called where others are waited for
   */
  async look(copy: MadeCopy, waits: () => void, signal: AbortSignal): Promise<number | undefined> {
    if (!this.#isWorthIt(copy)) return undefined;
    waits();
    this.#held += 1;
    return await new Promise((settle) => {
      this.#waiting.push({ copy, signal, settle });
      this.#timer ??= setTimeout(() => this.#lookNow(), GATHER_MS);
      if (this.#waiting.length >= MOST_TOGETHER) this.#lookNow();
      else this.#lookSoon();
    });
  }

  #isWorthIt({ event: { timeMs }, etag, madeMs, tookMs }: MadeCopy): boolean {
    if (this.#credit <= 0) {
      this.#credit += CREDIT_PER_LOOK;
      return false;
    }
    if (this.#held >= MOST_WAITING || (this.#copying === 0 && this.#waiting.length === 0)) return false;
    // What the event tells saves a wait, and no more.
    if (timeMs !== undefined && Date.now() - timeMs < this.#needs.limits.restMs) return false;
    return etag !== '' && madeMs !== undefined && tookMs <= LONGEST_COPY_MS;
  }

  /** Once nobody is left to be waited for; the next copies may be about to begin. */
  #lookSoon(): void {
    if (this.#copying > 0 || this.#waiting.length === 0) return;
    setImmediate(() => {
      if (this.#copying === 0) this.#lookNow();
    });
  }

  #lookNow(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const together = this.#waiting;
    this.#waiting = [];
    void this.#lookAt(together);
  }

  /** Never rejects. */
  async #lookAt(together: readonly Waiting[]): Promise<void> {
    const buckets = Map.groupBy(together, ({ copy: { event } }) => event.bucket);
    await Promise.all(
      Array.from(buckets.values(), async (each) => {
        const sizes = await this.#sizes(each);
        this.#held -= each.length;
        for (const { copy, settle } of each) settle(sizes.get(copy));
      }),
    );
  }

  /** Of those copies of one bucket that both listings show. Never rejects. */
  async #sizes(together: readonly Waiting[]): Promise<ReadonlyMap<MadeCopy, number>> {
    const sizes = new Map<MadeCopy, number>();
    const [first] = together;
    if (first === undefined || together.length < LEAST_TOGETHER) return sizes;
    const { source, target, limits } = this.#needs;
    const { signal, copy } = first;
    const copies = together.map(({ copy }) => copy);
    try {
      const [objects, kept] = await Promise.all([
        this.#listed(
          copies.map(({ event }) => event.key),
          (options) =>
            source.use(copy.event, (bucket) => pageOf(bucket, { ...source.listing, ...options, signal })),
        ),
        this.#listed(
          copies.map(({ key }) => key),
          (options) => target.use((bucket) => pageOf(bucket, { ...options, signal })),
        ),
      ]);
      for (const each of copies) {
        const object = objects.get(each.event.key);
        if (object !== undefined && isOf(each, object, kept.get(each.key), limits.restMs))
          sizes.set(each, object.size);
      }
    } catch {
      // A look at each tells what is wrong.
      this.#credit = -CREDIT;
    }
    this.#credit = Math.min(CREDIT, this.#credit + 2 * sizes.size);
    return sizes;
  }

  /** Those of `keys` that are listed, as far as pages tell enough of them. */
  async #listed(
    keys: readonly string[],
    list: (options: ListOptions) => Promise<readonly ListedObject[]>,
  ): Promise<ReadonlyMap<string, ListedObject>> {
    const found = new Map<string, ListedObject>();
    const left = new Set(keys);
    const sorted = keys.toSorted((a, b) => (comparesBefore(a, b) ? -1 : 1));
    for (let at = 0; sorted.length - at >= LEAST_TOGETHER;) {
      const pageKeys = Math.min(MOST_LISTED, LISTED_PER_COPY * (sorted.length - at));
      const page = await list({ startAfter: shortlyBefore(sorted[at] ?? ''), pageKeys });
      const before = found.size;
      for (const object of page) if (left.delete(object.key)) found.set(object.key, object);
      const cost = PAGE_LOOKS + page.length / LISTED_PER_LOOK;
      this.#credit -= cost;
      const last = page.at(-1)?.key;
      if (found.size - before < cost || page.length < pageKeys || last === undefined) break;
      while (at < sorted.length && !comparesBefore(last, sorted[at] ?? '')) at += 1;
    }
    return found;
  }
}

async function pageOf(bucket: Bucket, options: ListOptions): Promise<readonly ListedObject[]> {
  const page: ListedObject[] = [];
  for await (const object of listObjects(bucket, '', options)) {
    page.push(object);
    if (page.length === options.pageKeys) break;
  }
  return page;
}

/** Whether a copy is sound and of the object, as both are listed. */
function isOf(copy: MadeCopy, object: ListedObject, kept: ListedObject | undefined, restMs: number): boolean {
  const { etag, madeMs = -Infinity, tookMs } = copy;
  if (kept === undefined || object.etag !== etag || kept.etag !== etag || object.size !== kept.size)
    return false;
  return object.modifiedMs + restMs <= madeMs - tookMs;
}
