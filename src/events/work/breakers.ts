import { LRUCache } from 'lru-cache';
import { Breaker } from '../../flow/breaker.ts';
import { type ErrorCode, IsyncError } from '../../model/isync-error.ts';
import type { Log } from '../../model/log.ts';
import type { Act, Task } from '../action/action.ts';
import { taskFields } from '../action/task-fields.ts';

/** Buckets told apart; of others a breaker begins anew. */
const MOST_BUCKETS = 1_000;
/** What says that a side is away, not that one object is in trouble: CONFIG_INVALID is of a script that can't be started. */
const AWAY: ReadonlySet<ErrorCode> = new Set([
  'UNREACHABLE',
  'LINK_LOST',
  'STORE_FAILED',
  'STORE_FULL',
  'CONFIG_INVALID',
]);
/** What only a side that is there makes of an object, or a script that was run. Others, as BUSY, may be a gateway's. */
const ANSWERED: ReadonlySet<ErrorCode> = new Set([
  'STORE_REFUSED',
  'STORE_MISSING',
  'FILE_CHANGED',
  'FILE_TOO_LARGE',
  'DIGEST_MISMATCH',
  'SCRIPT_FAILED',
]);
/** A bucket that nothing has come for in so long says nothing of what comes next, in ms. */
const RECENT_MS = 60_000;
/** How long a side that was away when it was tried last is told of as such, in ms: by then the next try was due. */
const TOLD_AWAY_MS = 15 * 60_000;

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
        if (breaker.succeeded()) this.#log.info('answers again', taskFields(task));
        return outcome;
      } catch (error) {
        if (!(error instanceof IsyncError)) breaker.told(openings);
        else if (error.retryable && AWAY.has(error.code)) {
          if (breaker.failed(error, openings))
            this.#log.warn('is away: nothing is tried for a while', { ...taskFields(task), err: error });
        } else if (ANSWERED.has(error.code)) breaker.answered(openings);
        else breaker.told(openings);
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
    const open = [...this.#breakers.values()]
      .filter(({ idleMs }) => idleMs < RECENT_MS)
      .map(({ openMs }) => openMs);
    return open.length === 0 ? 0 : Math.min(...open);
  }

  /** What the last failure was, where whatever was tried lately has found its side to be away; the side is that of all of them. */
  get away(): Error | undefined {
    const tried = [...this.#breakers.values()].filter((breaker) => breaker.idleMs < TOLD_AWAY_MS);
    return tried.every(({ isOpen }) => isOpen) ? tried.at(0)?.last : undefined;
  }

  #of({ event: { bucket } }: Task): Breaker {
    const known = this.#breakers.get(bucket);
    if (known !== undefined) return known;
    const fresh = new Breaker();
    this.#breakers.set(bucket, fresh);
    return fresh;
  }
}
