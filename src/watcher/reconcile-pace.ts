/** Shortest time between two listings, in ms, from the end of one to the start of the next. */
export const RECONCILE_MS = 1_000;
/** A directory is listed anew this long after the last time, in ms: a write in place changes no folder's mtime. */
export const ROUTINE_MS = 60_000;
/** Listing takes at most one part in this many of the time: 2 % of one core. */
const LISTING_SHARE = 50;

/** When to list a directory again. Pure: `now` is any milliseconds that never go back. */
export class ReconcilePace {
  #last: number;
  #listingMs = 0;
  #reason: string | undefined;
  #urgent = false;

  constructor(now: number) {
    this.#last = now;
  }

  /** Something has changed that events should have told: worth a listing when there is time. */
  changed(reason: string): void {
    this.#reason ??= reason;
  }

  /** Events were probably lost: worth a listing at once. */
  lost(reason: string): void {
    if (!this.#urgent) this.#reason = reason;
    this.#urgent = true;
  }

  /** A listing has ended that took `durationMs`. */
  listed(durationMs: number, now: number): void {
    this.#listingMs = durationMs;
    this.#last = now;
  }

  /** The reason to list now, told once; undefined where there is none, or not yet. */
  due(now: number): string | undefined {
    const elapsedMs = now - this.#last;
    const paceMs = Math.max(RECONCILE_MS, LISTING_SHARE * this.#listingMs);
    let reason: string | undefined;
    if (elapsedMs >= (this.#urgent ? RECONCILE_MS : paceMs)) reason = this.#reason;
    if (reason === undefined && elapsedMs >= Math.max(ROUTINE_MS, paceMs)) reason = 'routine';
    if (reason === undefined) return undefined;
    this.#last = now;
    this.#reason = undefined;
    this.#urgent = false;
    return reason;
  }
}
