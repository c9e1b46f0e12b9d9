import type { ListedObject } from '../../s3/objects.ts';
import { comparesBefore } from '../../s3/sorted-keys.ts';

/** Keys that a page of a listing should tell of, on average: else a request for each key costs less. */
const WORTH = 20;
/** Pages that are tried before anything is known of the order of the keys. */
const FIRST_TRIES = 3;

export interface PageWindowOptions {
  /** What is listed behind a key, in the order of the keys; from the beginning where it is undefined. */
  readonly list: (startAfter: string | undefined) => AsyncIterable<ListedObject>;
  /** What all keys of the listing begin with. */
  readonly prefix: string;
  /** Entries of one answer. */
  readonly page: number;
}

/**
 * Tells of keys out of pages of a listing that come one after the other: of keys in any order while nearly nothing is listed, and of
 * keys in the order of the listing always. Holds one page.
 */
export class PageWindow {
  readonly #options: PageWindowOptions;
  #page: Page | undefined;
  #pages = 0;
  #told = 0;

  constructor(options: PageWindowOptions) {
    this.#options = options;
  }

  /** What is listed under a key, undefined where nothing is; 'unknown' where nobody has looked. Rejects with what the listing does. */
  async at(key: string): Promise<ListedObject | undefined | 'unknown'> {
    if (this.#page?.has(key) !== true && (this.#pages < FIRST_TRIES || this.#told >= this.#pages * WORTH)) {
      this.#pages += 1;
      this.#page = await openPage(this.#options, key);
    }
    if (this.#page?.has(key) !== true) return 'unknown';
    this.#told += 1;
    return this.#page.objects.get(key);
  }
}

interface Page {
  readonly objects: ReadonlyMap<string, ListedObject>;
  /** Whether the page would have the key, if it were listed. */
  has(key: string): boolean;
}

/** The page of the listing that begins with `key`, or where it would be. */
async function openPage({ list, prefix, page }: PageWindowOptions, key: string): Promise<Page> {
  // What begins a key is before it; and no character is cut into two.
  const start = Array.from(key).slice(0, -1).join('');
  const startAfter = start.length > prefix.length ? start : undefined;
  const objects = new Map<string, ListedObject>();
  let last = key;
  let isWhole = true;
  // Directory buckets of AWS list in no order: what such a page lacks may be in another one.
  let isSorted = true;
  for await (const object of list(startAfter)) {
    isSorted &&= objects.size === 0 || comparesBefore(last, object.key);
    objects.set(object.key, object);
    last = object.key;
    isWhole = objects.size < page;
    // One more would cost another page.
    if (!isWhole) break;
  }
  return {
    objects,
    has: (key) =>
      objects.has(key) ||
      (isSorted &&
        (startAfter === undefined || comparesBefore(startAfter, key)) &&
        (isWhole || !comparesBefore(last, key))),
  };
}
