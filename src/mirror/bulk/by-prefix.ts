/** Prefixes that are told apart; what comes after so many is counted together, so that keys of strangers need no memory. */
const MOST_PREFIXES = 10_000;
/** In the place of a prefix, where there are too many. No key begins so: it has a control character. */
const OTHERS = '\u0000others';

export interface PrefixCounts {
  /** Objects in the bucket that a request has filled. */
  filled: number;
  filledBytes: number;
  /** Requests that an origin was asked for, as the access logs tell. */
  asked: number;
  /** Requests that were sent to the origin. */
  redirected: number;
  /** The latest of all these, in ms since the epoch. */
  lastMs: number;
}

export interface PrefixReport extends PrefixCounts {
  /** '' for keys without "/"; undefined for all that are not told apart. */
  readonly prefix: string | undefined;
}

/** Counts by the first `depth` segments of keys. */
export class ByPrefix {
  readonly #depth: number;
  readonly #counts = new Map<string, PrefixCounts>();

  constructor(depth: number) {
    this.#depth = depth;
  }

  of(key: string, atMs: number): PrefixCounts {
    const prefix = prefixOf(key, this.#depth);
    const name = this.#counts.has(prefix) || this.#counts.size < MOST_PREFIXES ? prefix : OTHERS;
    let counts = this.#counts.get(name);
    if (counts === undefined) {
      counts = { filled: 0, filledBytes: 0, asked: 0, redirected: 0, lastMs: 0 };
      this.#counts.set(name, counts);
    }
    counts.lastMs = Math.max(counts.lastMs, atMs);
    return counts;
  }

  /** Those with most first. */
  report(): readonly PrefixReport[] {
    return [...this.#counts]
      .map(([prefix, counts]) => ({ prefix: prefix === OTHERS ? undefined : prefix, ...counts }))
      .toSorted((a, b) => sum(b) - sum(a) || ((a.prefix ?? '') < (b.prefix ?? '') ? -1 : 1));
  }
}

/** `a/b/` of `a/b/c` with a depth of two; '' where there is no folder. */
export function prefixOf(key: string, depth: number): string {
  const folders = key.split('/').slice(0, -1).slice(0, depth);
  return folders.length === 0 ? '' : `${folders.join('/')}/`;
}

function sum({ filled, asked, redirected }: PrefixCounts): number {
  return filled + asked + redirected;
}
