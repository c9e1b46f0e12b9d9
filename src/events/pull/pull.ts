import { retrying } from '../../flow/retry.ts';
import { pause } from '../../flow/wake-up.ts';
import { type IsyncError, toIsyncError } from '../../model/isync-error.ts';
import type { Log } from '../../model/log.ts';
import type { Apply } from '../action/outcome.ts';
import type { MaxDelete } from '../../config/pull-values.ts';
import type { Parking } from '../parking/parking.ts';
import type { KeyEncoding } from '../parse/parsed.ts';
import type { EventSource } from '../source/event-source.ts';
import { bucketsToCompare } from './buckets-to-compare.ts';
import { Intake } from '../work/intake.ts';
import { Lanes } from '../work/lanes.ts';
import type { PullObserver } from '../work/work-observer.ts';
import { Records } from '../work/records.ts';
import { followReplays, replayAll } from '../work/replays.ts';
import { type CompareOptions, resync } from './resync.ts';
import { Undone } from '../work/undone.ts';

/** How long a comparison with `once` begins again where the listing fails, in ms: somebody, or cron, calls it again. */
const ONCE_COMPARES_FOR_MS = 20_000;
/** Longest wait before a comparison begins again, in ms: each lists everything. */
const LONGEST_COMPARE_DELAY_MS = 5 * 60_000;

export interface PullOptions extends Omit<CompareOptions, 'buckets'> {
  readonly source: EventSource;
  readonly apply: Apply;
  readonly parking: Parking;
  /** The only ones that are followed. Default: any; a comparison takes those that are known by then. */
  readonly buckets: readonly string[];
  readonly keyEncoding: KeyEncoding;
  readonly unmatched: 'release' | 'discard';
  readonly attempts: number;
  readonly concurrency: number;
  readonly maxDelete: MaxDelete;
  /** When the folders are compared with the bucket. */
  readonly resync: { readonly atStart: boolean; readonly everyMs: number | undefined };
  readonly once: boolean;
  /** How long the last deliveries of a message wait trouble out with `once`, in ms. Default 60 s. */
  readonly onceStaysMs?: number | undefined;
  readonly observer: PullObserver;
  readonly log: Log;
  /** Ends the pull: what is in hand and begun is finished, the rest is given back. */
  readonly signal: AbortSignal;
  /** Ends what is still under way. */
  readonly cut: AbortSignal;
  /** Told when the pull is about to begin, with what it is doing. */
  readonly started?: ((running: Running) => void) | undefined;
}

/** What a pull is doing at any moment. */
export interface Running {
  /** Messages. */
  readonly inHand: number;
  /** Whether what comes can't be written for lack of room. */
  readonly isDiskFull: boolean;
}

/** How a pull ended. */
export interface PullEnd {
  /** Why a comparison stopped, or else why a record was left undone. */
  readonly failure: IsyncError | undefined;
}

/**
 * Follows a queue of events until the signal fires, or with `once` until there is no more to do.
 * @throws IsyncError where the queue, or with `once` the comparison, can't be used at all
 */
export async function pull(options: PullOptions): Promise<PullEnd> {
  const { state, once, log, observer, signal, buckets } = options;
  const undone = new Undone();
  let stopped: IsyncError | undefined;
  const stop = new AbortController();
  const ended = AbortSignal.any([signal, stop.signal]);
  const lanes = new Lanes({
    ...options,
    apply: async (task, each) => {
      const outcome = await options.apply(task, each);
      if (outcome.outcome === 'written') intake.written();
      return outcome;
    },
    signal: ended,
    onRetry: ({ task: { event } }, error) => {
      observer.retried();
      log.warn(`tried again: ${error.message}`, { bucket: event.bucket, key: event.key, code: error.code });
      if (error.code === 'STORE_FULL') intake.diskFull();
    },
  });
  const records = new Records({
    ...options,
    lanes,
    buckets: buckets.length > 0 ? new Set(buckets) : undefined,
    failed: (what, error) => {
      undone.failed(what, error);
      if (error.code === 'STORE_FULL') intake.diskFull();
    },
    settled: (what) => undone.settled(what),
  });
  const intake = new Intake({ ...options, records, abandon: () => stop.abort(), signal: ended });
  options.started?.(intake);
  const compare = async (): Promise<void> => {
    await resync({
      ...options,
      records,
      buckets: bucketsToCompare(buckets, state),
      // The next comparison finds them again.
      patienceMs: once ? 0 : (options.resync.everyMs ?? Infinity),
      signal: ended,
    });
  };
  const told = (err: IsyncError): void => log.warn('the comparison with the bucket begins again', { err });
  const tolerant = async (): Promise<void> => {
    try {
      const policy = {
        giveUpAfterMs: once ? ONCE_COMPARES_FOR_MS : undefined,
        longestDelayMs: LONGEST_COMPARE_DELAY_MS,
      };
      await retrying(compare, policy, { signal: ended, onRetry: told });
    } catch (thrown) {
      if (ended.aborted) return;
      stopped = toIsyncError(thrown, 'INTERNAL');
      log.error('the comparison with the bucket failed', { err: stopped });
    }
  };
  const beside = async (): Promise<void> => {
    const { atStart, everyMs } = options.resync;
    if (atStart) await tolerant();
    if (everyMs === undefined) return;
    for (await pause(everyMs, ended); !ended.aborted; await pause(everyMs, ended)) await tolerant();
  };
  try {
    if (once) {
      await replayAll({ ...options, records, signal: ended });
      if (options.resync.atStart) await tolerant();
      await intake.run();
    } else {
      const others = [beside(), followReplays({ ...options, records, signal: ended })];
      try {
        await intake.run();
      } finally {
        stop.abort();
        await Promise.all(others);
      }
    }
  } finally {
    stop.abort();
    await lanes.idle();
  }
  return { failure: stopped ?? undone.reason };
}
