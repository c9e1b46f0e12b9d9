import { LRUCache } from 'lru-cache';
import { listObjects } from '../../../s3/objects.ts';
import { comparesBefore } from '../../../s3/sorted-keys.ts';
import type { TargetBucket } from './target-bucket.ts';

/** Keys of one listing: what one request gives. */
const MOST_LISTED = 1000;
/** Folders remembered, each with the keys of a listing and of copies since, some 100 bytes each. */
const MOST_FOLDERS = 32;
/** Copies noted in a folder before it is listed anew. */
const MOST_NOTED = 10_000;
/** How long a listing counts, in ms: what others put meanwhile is replaced, be it equal. */
const VALID_MS = 30_000;
/** What a listing costs, in looks at a key, by the work of both sides; and how many keys it tells for one more. */
const LISTING_LOOKS = 3;
const LISTED_PER_LOOK = 25;
/** Looks that listings may cost before they have saved any, and what each look adds that no listing could save. */
const CREDIT = 64;
const CREDIT_PER_LOOK = 0.1;

/**
 * Tells keys that the target does not have, many by one listing. Where new objects come by the thousand, it takes the place of a
 * look at each. Listings that would cost more than they save are not made.
 */
export class AbsentKeys {
  readonly #target: TargetBucket;
  readonly #most: number;
  readonly #stretches = new LRUCache<string, Stretch>({ max: MOST_FOLDERS });
  readonly #listings = new Map<string, Promise<void>>();
  #credit = CREDIT;

  /** @param most keys of one listing */
  constructor(target: TargetBucket, most = MOST_LISTED) {
    this.#target = target;
    this.#most = most;
  }

  /** Whether the target certainly lacked the key within the last {@link VALID_MS}; false also where that is not known. */
  async has(key: string, signal: AbortSignal): Promise<boolean> {
    const folder = folderOf(key);
    const known = this.#lookUp(folder, key);
    if (known !== undefined) return known;
    const running = this.#listings.get(folder);
    if (running !== undefined) await running;
    else if (this.#credit > 0) {
      const listing = this.#list(folder, key, signal).finally(() => this.#listings.delete(folder));
      this.#listings.set(folder, listing);
      await listing;
    } else this.#credit += CREDIT_PER_LOOK;
    return this.#lookUp(folder, key) ?? false;
  }

  /** Notes that the target may have the key from now on. */
  put(key: string): void {
    const stretch = this.#stretches.peek(folderOf(key));
    if (stretch === undefined) return;
    stretch.there.add(key);
    if (stretch.there.size > this.#most + MOST_NOTED) this.#stretches.delete(folderOf(key));
  }

  #lookUp(folder: string, key: string): boolean | undefined {
    const stretch = this.#stretches.get(folder);
    if (stretch?.known === undefined || performance.now() > stretch.untilMs) return undefined;
    const { from, to } = stretch.known;
    if (comparesBefore(key, from) || (to !== undefined && comparesBefore(to, key))) return undefined;
    const isAbsent = !stretch.there.has(key);
    if (isAbsent) this.#credit = Math.min(CREDIT, this.#credit + 1);
    return isAbsent;
  }

  /** Lists what the folder has from the key on. Rejects only with the reason of the signal. */
  async #list(folder: string, key: string, signal: AbortSignal): Promise<void> {
    // Before the listing: what is put meanwhile may be missing in it.
    const stretch: Stretch = { known: undefined, there: new Set(), untilMs: performance.now() + VALID_MS };
    this.#stretches.set(folder, stretch);
    this.#credit -= LISTING_LOOKS;
    try {
      const listed = await this.#keysFrom(folder, key, signal);
      this.#credit -= listed.length / LISTED_PER_LOOK;
      for (const each of listed) stretch.there.add(each);
      const [first = key] = listed;
      stretch.known = {
        // Not every server begins where it is told to.
        from: comparesBefore(first, key) ? first : key,
        to: listed.length < this.#most ? undefined : listed.at(-1),
      };
    } catch {
      signal.throwIfAborted();
      // A look at the key tells what is wrong.
      this.#credit -= CREDIT;
    }
  }

  async #keysFrom(folder: string, key: string, signal: AbortSignal): Promise<readonly string[]> {
    // Shorter by a character: the key itself comes first, where it is there.
    const startAfter = key.replace(/.$/su, '');
    return await this.#target.use(async (bucket) => {
      const keys: string[] = [];
      for await (const object of listObjects(bucket, folder, { signal, startAfter })) {
        keys.push(object.key);
        if (keys.length === this.#most) break;
      }
      return keys;
    });
  }
}

interface Stretch {
  /** The keys of the folder that are known: from the first to the last one, or to the end. Undefined while they are listed. */
  known: { readonly from: string; readonly to: string | undefined } | undefined;
  /** Those that the target has, or may have. */
  readonly there: Set<string>;
  readonly untilMs: number;
}

/** What keys have in front of their name; they may have no folder. */
function folderOf(key: string): string {
  return key.slice(0, key.lastIndexOf('/') + 1);
}
