/** Failures one after the other that open a breaker: fewer may be a blip. */
const FAILURES = 5;
/** How long it stays open, in ms: the first time, and the longest. */
const OPEN_MS = { first: 1_000, most: 60_000 };
/** How long one is tried alone, in ms: a request is answered by then, and a script may hang. Then another one may be. */
const PROBE_MS = 10_000;
/** How long others are kept away while one is tried, in ms. */
const ASIDE_MS = 1_000;

/** Keeps work from a side that is away: after some failures nothing is tried for a while, then one piece of work alone. */
export class Breaker {
  #failures = 0;
  #openings = 0;
  /** Openings since it worked last. */
  #row = 0;
  #last: Error | undefined;
  #untilMs = -Infinity;
  #usedMs = performance.now();
  #probedAtMs = -Infinity;

  /** How often it has opened, or has stayed open after a try: what began before says nothing new when it fails. */
  get openings(): number {
    return this.#openings;
  }

  get isOpen(): boolean {
    return this.#failures >= FAILURES;
  }

  /** Since something was to be tried last, in ms. */
  get idleMs(): number {
    return performance.now() - this.#usedMs;
  }

  /** Why it is open. */
  get last(): Error | undefined {
    return this.#last;
  }

  get openMs(): number {
    const leftMs = Math.max(0, this.#untilMs - performance.now());
    return this.#isProbing ? Math.max(ASIDE_MS, leftMs) : leftMs;
  }

  get #isProbing(): boolean {
    return performance.now() - this.#probedAtMs < PROBE_MS;
  }

  /** Returns why nothing is tried now; undefined where it may be: whoever tries tells how that ended. */
  enter(): Error | undefined {
    this.#usedMs = performance.now();
    if (!this.isOpen) return undefined;
    if (this.openMs > 0) return this.#last;
    this.#probedAtMs = this.#usedMs;
    return undefined;
  }

  /** Returns whether it has been open since it worked last. */
  succeeded(): boolean {
    const wasAway = this.#row > 0;
    this.#row = 0;
    this.#shut(0);
    return wasAway;
  }

  /**
   * It failed in a way that shows a side to be there. Where work has two sides the other one may still be away: then the next
   * failure opens it again, for longer.
   */
  answered(openings: number): void {
    if (openings === this.#openings && this.isOpen) this.#shut(FAILURES - 1);
  }

  /** It failed in a way that says nothing of the side: the next one may be tried alone. */
  told(openings: number): void {
    if (openings === this.#openings) this.#probedAtMs = -Infinity;
  }

  #shut(failures: number): void {
    this.#failures = failures;
    this.#last = undefined;
    this.#untilMs = -Infinity;
    this.#probedAtMs = -Infinity;
  }

  /** Returns whether this has opened it, for the first time since it worked last. */
  failed(error: Error, openings: number): boolean {
    if (openings !== this.#openings) return false;
    this.#failures += 1;
    this.#last = error;
    this.#probedAtMs = -Infinity;
    if (!this.isOpen) return false;
    this.#openings += 1;
    this.#row += 1;
    const cap = Math.min(OPEN_MS.most, OPEN_MS.first * 2 ** Math.min(this.#row - 1, 20));
    // Twice or half at random: several workers do not come back at once.
    this.#untilMs = performance.now() + cap * (0.5 + Math.random() / 2);
    return this.#row === 1;
  }
}
