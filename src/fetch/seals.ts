import type { FileEntry } from '../model/file-entry.ts';
import { PARSE_MARKER, WATCH_MARKER } from '../model/markers.ts';
import { nameOf, parentOf } from '../model/rel-path.ts';

/** Most markers, and most folders with a problem, that are remembered: some 20 MB of memory each. */
export const MOST_REMEMBERED = 100_000;

/**
 * Holds back every `finished.parse`, which tells whoever watches where files go that all of its directory is there: it may come
 * once that is so.
 */
export class Seals {
  readonly #most: number;
  readonly #held: FileEntry[] = [];
  /** Whether there are more of them than are remembered. */
  #overflowed = false;
  /** Folders below which something is missing; undefined: too many to be remembered. */
  #incomplete: Set<string> | undefined = new Set();

  constructor(most = MOST_REMEMBERED) {
    this.#most = most;
  }

  /** Whether the file is such a marker, to be brought by `due`. */
  hold(entry: FileEntry): boolean {
    if (!isSeal(entry)) return false;
    if (this.#held.length < this.#most) this.#held.push(entry);
    else this.#overflowed = true;
    return true;
  }

  /** Tells that the file at `path` can't be brought, or that what lies in the folder there can't be listed. */
  problem(path: string): void {
    // Never fetched: nothing is missing without it.
    if (path === WATCH_MARKER || path.endsWith(`/${WATCH_MARKER}`)) return;
    this.#incomplete?.add('');
    this.#incomplete?.add(path);
    for (let end = path.indexOf('/'); end >= 0; end = path.indexOf('/', end + 1))
      this.#incomplete?.add(path.slice(0, end));
    if ((this.#incomplete?.size ?? 0) > this.#most) this.#incomplete = undefined;
  }

  /** Whether that has been told of the path, or of something below it. */
  isIncomplete(path: string): boolean {
    return this.#incomplete === undefined || this.#incomplete.has(path);
  }

  /**
   * The markers of directories below which nothing is missing.
   * @param list lists all files that are wanted once more, where there are too many markers to be remembered
   */
  async *due(list: () => AsyncIterable<FileEntry>): AsyncGenerator<FileEntry> {
    const entries = this.#overflowed ? list() : this.#held;
    for await (const entry of entries)
      if (isSeal(entry) && !this.isIncomplete(parentOf(entry.path))) yield entry;
  }
}

function isSeal({ path }: FileEntry): boolean {
  return nameOf(path) === PARSE_MARKER;
}
