import { LRUCache } from 'lru-cache';
import { listObjects } from '../../../s3/objects.ts';
import { comparesBefore, shortlyBefore } from '../../../s3/sorted-keys.ts';
import type { TargetBucket } from './target-bucket.ts';

/** Keys of one listing: what one request gives. */
const MOST_LISTED = 1000;
/** Folders remembered, each with the keys of listings and of copies since, some 100 bytes each. */
const MOST_FOLDERS = 32;
/** Keys remembered of a folder before it is listed anew; and stretches of it, where keys come in no order. */
const MOST_NOTED = 10_000;
const MOST_STRETCHES = 64;
/** How long a listing counts, in ms: what others put meanwhile is replaced, be it equal. */
const VALID_MS = 30_000;
/** What a listing costs, in looks at a key, by the work of both sides; and how many keys it tells for one more. */
const LISTING_LOOKS = 2;
const LISTED_PER_LOOK = 100;
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
  readonly #folders = new LRUCache<string, Folder>({ max: MOST_FOLDERS });
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
    const name = folderOf(key);
    const folder = this.#folders.peek(name);
    if (folder === undefined) return;
    folder.there.add(key);
    if (folder.there.size > this.#most + MOST_NOTED) this.#folders.delete(name);
  }

  #lookUp(name: string, key: string): boolean | undefined {
    const folder = this.#folders.get(name);
    const now = performance.now();
    if (folder?.known.some((stretch) => now <= stretch.untilMs && isWithin(stretch, key)) !== true)
      return undefined;
    const isAbsent = !folder.there.has(key);
    if (isAbsent) this.#credit = Math.min(CREDIT, this.#credit + 1);
    return isAbsent;
  }

  /** Lists what the folder has from the key on. Rejects only with the reason of the signal. */
  async #list(name: string, key: string, signal: AbortSignal): Promise<void> {
    // Before the listing: what is put meanwhile may be missing in it.
    const folder = this.#folders.get(name) ?? { known: [], there: new Set() };
    this.#folders.set(name, folder);
    const now = performance.now();
    this.#credit -= LISTING_LOOKS;
    try {
      const listed = await this.#keysFrom(name, key, signal);
      this.#credit -= listed.length / LISTED_PER_LOOK;
      for (const each of listed) folder.there.add(each);
      const [first = key] = listed;
      const stretch = {
        // Not every server begins where it is told to.
        from: comparesBefore(first, key) ? first : key,
        to: listed.length < this.#most ? undefined : listed.at(-1),
        untilMs: now + VALID_MS,
      };
      folder.known = [stretch, ...folder.known.filter(({ untilMs }) => now <= untilMs)].slice(
        0,
        MOST_STRETCHES,
      );
    } catch {
      signal.throwIfAborted();
      // A look at the key tells what is wrong.
      this.#credit = -CREDIT;
    }
  }

  async #keysFrom(folder: string, key: string, signal: AbortSignal): Promise<readonly string[]> {
    const startAfter = shortlyBefore(key);
    return await this.#target.use(async (bucket) => {
      const keys: string[] = [];
      for await (const object of listObjects(bucket, folder, { signal, startAfter, pageKeys: this.#most })) {
        keys.push(object.key);
        if (keys.length === this.#most) break;
      }
      return keys;
    });
  }
}

interface Folder {
  /** What has been listed. */
  known: readonly Stretch[];
  /** Keys that the target has, or may have. */
  readonly there: Set<string>;
}

interface Stretch {
  readonly from: string;
  /** The last key; undefined: to the end of the folder. */
  readonly to: string | undefined;
  /** On the clock of performance.now(). */
  readonly untilMs: number;
}

function isWithin({ from, to }: Stretch, key: string): boolean {
  return !comparesBefore(key, from) && (to === undefined || !comparesBefore(to, key));
}

/** What keys have in front of their name; they may have no folder. */
function folderOf(key: string): string {
  return key.slice(0, key.lastIndexOf('/') + 1);
}
