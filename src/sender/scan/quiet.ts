import type { ListingTotals } from '../../scanner/list-directory.ts';

/**
 * How long (ms) this process itself must have seen nothing change, by monotonic time: the files' own times say nothing
 * after the clock has jumped.
 */
const WATCHED_QUIET_MS = 10_000;
/** A time later than now by more than this, in ms, is one of a clock that was ahead. */
const AHEAD_MS = 2_000;

/** How long a directory that nobody has closed must still be left alone, in ms each. */
export interface QuietLeft {
  /** By the files' own times. */
  readonly byTimesMs: number;
  /** By what this process has seen. */
  readonly byWatchMs: number;
  /** A file's time lies in the future, so that times say nothing; then this process must watch for the whole time. */
  readonly ahead: boolean;
}

/** Tells how long nothing has changed in one directory. */
export class Quiet {
  readonly #quietMs: number;
  #seen: { readonly fingerprint: string; readonly sinceMs: number } | undefined;

  constructor(quietMs: number) {
    this.#quietMs = quietMs;
  }

  /** Takes what a listing has found; `folderMtimeMs` is the directory's own. */
  look({ fingerprint, lastChangeMs }: ListingTotals, folderMtimeMs: number): QuietLeft {
    const nowMs = performance.now();
    if (this.#seen?.fingerprint !== fingerprint) this.#seen = { fingerprint, sinceMs: nowMs };
    const ageMs = Date.now() - Math.max(lastChangeMs, folderMtimeMs);
    const ahead = ageMs < -AHEAD_MS;
    const watchMs = ahead ? this.#quietMs : Math.min(this.#quietMs, WATCHED_QUIET_MS);
    return {
      byTimesMs: ahead ? 0 : Math.max(0, this.#quietMs - ageMs),
      byWatchMs: Math.max(0, this.#seen.sinceMs + watchMs - nowMs),
      ahead,
    };
  }
}
