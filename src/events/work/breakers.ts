import { LRUCache } from 'lru-cache';
import { type ErrorCode, IsyncError } from '../../model/isync-error.ts';
import type { Log } from '../../model/log.ts';
import type { Act, Task } from '../action/action.ts';

/** Buckets told apart; of others a breaker begins anew. */
const MOST_BUCKETS = 1_000;
/** Failures one after the other that open a breaker: fewer may be a blip. */
const FAILURES = 5;
/** How long it stays open, in ms: the first time, and the longest. */
const OPEN_MS = { first: 1_000, most: 60_000 };
/** How long one is tried alone, in ms: a request is answered by then, and a script may hang. Then another one may be. */
const PROBE_MS = 10_000;
/** How long others are kept away while one is tried, in ms. */
const ASIDE_MS = 1_000;
/** A bucket that nothing has come for in so long says nothing of what comes next, in ms. */
const RECENT_MS = 60_000;

/** What says that a side is away, not that one object is in trouble: CONFIG_INVALID is of a script that can't be started. */
const AWAY: ReadonlySet<ErrorCode> = new Set([
  'UNREACHABLE',
  'LINK_LOST',
  'STORE_FAILED',
  'STORE_FULL',
  'CONFIG_INVALID',
]);

/**
 * Keeps actions from being tried, one event after the other, on a side that is away: after some failures nothing is tried for a
 * while, then one alone. There is a breaker for each bucket that events come from: where the side that they go to is away, all of
 * them open.
 */
export class Breakers {
  readonly #breakers = new LRUCache<string, Breaker>({ max: MOST_BUCKETS });
  readonly #log: Log;

  constructor(log: Log) {
    this.#log = log;
  }

  /** Acts unless the breaker is open: then it rejects with what the last failure was. */
  guard<Target>(act: Act<Target>): Act<Target> {
    return async (task, signal) => {
      const breaker = this.#of(task);
      const why = breaker.enter();
      if (why !== undefined) throw why;
      const { openings } = breaker;
      try {
        const outcome = await act(task, signal);
        if (breaker.succeeded()) this.#log.info('answers again', { bucket: task.event.bucket });
        return outcome;
      } catch (error) {
        const isAway = error instanceof IsyncError && error.retryable && AWAY.has(error.code);
        if (isAway && breaker.failed(error, openings))
          this.#log.warn('is away: nothing is tried for a while', { bucket: task.event.bucket, err: error });
        if (!isAway) breaker.answered(openings);
        throw error;
      }
    };
  }

  /** Whether a bucket's side has been away, and has not answered since. */
  isOpen(bucket: string): boolean {
    return this.#breakers.peek(bucket)?.isOpen ?? false;
  }

  /** How long nothing is tried for a bucket, in ms; 0 where something is. */
  openMs(bucket: string): number {
    return this.#breakers.peek(bucket)?.openMs ?? 0;
  }

  /** How long nothing is tried for any bucket that events have come for lately, in ms. */
  get allOpenMs(): number {
    const open = [...this.#breakers.values()].filter(({ isRecent }) => isRecent).map(({ openMs }) => openMs);
    return open.length === 0 ? 0 : Math.min(...open);
  }

  #of({ event: { bucket } }: Task): Breaker {
    const known = this.#breakers.get(bucket);
    if (known !== undefined) return known;
    const fresh = new Breaker();
    this.#breakers.set(bucket, fresh);
    return fresh;
  }
}

class Breaker {
  #failures = 0;
  #openings = 0;
  #last: IsyncError | undefined;
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

  get isRecent(): boolean {
    return performance.now() - this.#usedMs < RECENT_MS;
  }

  get openMs(): number {
    const leftMs = Math.max(0, this.#untilMs - performance.now());
    return this.#isProbing ? Math.max(ASIDE_MS, leftMs) : leftMs;
  }

  get #isProbing(): boolean {
    return performance.now() - this.#probedAtMs < PROBE_MS;
  }

  /** Returns why nothing is tried now; undefined where it may be: whoever tries tells how that ended. */
  enter(): IsyncError | undefined {
    this.#usedMs = performance.now();
    if (!this.isOpen) return undefined;
    if (this.openMs > 0) return this.#last;
    this.#probedAtMs = this.#usedMs;
    return undefined;
  }

  /** Returns whether it was open. */
  succeeded(): boolean {
    const wasOpen = this.isOpen;
    this.#failures = 0;
    this.#last = undefined;
    this.#untilMs = -Infinity;
    this.#probedAtMs = -Infinity;
    return wasOpen;
  }

  /** It failed, and not because the side is away. */
  answered(openings: number): void {
    if (openings === this.#openings) this.#probedAtMs = -Infinity;
  }

  /** Returns whether this has opened it. */
  failed(error: IsyncError, openings: number): boolean {
    if (openings !== this.#openings) return false;
    this.#failures += 1;
    this.#last = error;
    this.#probedAtMs = -Infinity;
    if (!this.isOpen) return false;
    this.#openings += 1;
    const cap = Math.min(OPEN_MS.most, OPEN_MS.first * 2 ** Math.min(this.#failures - FAILURES, 20));
    // Twice or half at random: several workers do not come back at once.
    this.#untilMs = performance.now() + cap * (0.5 + Math.random() / 2);
    return this.#failures === FAILURES;
  }
}
