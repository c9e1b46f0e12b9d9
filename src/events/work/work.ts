import type { IsyncError } from '../../model/isync-error.ts';
import type { Log } from '../../model/log.ts';
import type { Action } from '../action/action.ts';
import { taskFields } from '../action/task-fields.ts';
import type { Parking } from '../parking/parking.ts';
import type { KeyEncoding } from '../parse/parsed.ts';
import type { EventSource } from '../source/event-source.ts';
import { IN_HAND_AT_PLACE, IN_HAND_PER_ACTION } from './again.ts';
import { Breakers } from './breakers.ts';
import { Intake } from './intake.ts';
import { Lanes } from './lanes.ts';
import { type RecordTaker, Records } from './records.ts';
import { followReplays, replayAll } from './replays.ts';
import { Undone } from './undone.ts';
import type { WorkObserver } from './work-observer.ts';

export interface WorkOptions<Target> {
  readonly source: EventSource;
  readonly action: Action<Target>;
  /** For records of a source that has no dead messages of its own. */
  readonly parking: Parking;
  /** The only ones that are followed. Default: any. */
  readonly buckets: readonly string[];
  readonly keyEncoding: KeyEncoding;
  readonly unmatched: 'release' | 'discard';
  /** Failures for good of a record before it is given up. */
  readonly attempts: number;
  /** Events acted on at a time. */
  readonly concurrency: number;
  readonly once: boolean;
  /** How long the last deliveries of a message wait trouble out with `once`, in ms. Default 60 s. */
  readonly onceStaysMs?: number | undefined;
  readonly observer: WorkObserver;
  readonly log: Log;
  /** Ends the work: what is in hand and begun is finished, the rest is given back. */
  readonly signal: AbortSignal;
  /** Ends what is still under way. */
  readonly cut: AbortSignal;
  /** Told when the work is about to begin, with what it is doing at any moment. */
  readonly started?: ((running: Running) => void) | undefined;
  /** Runs before the source is read where `once` is set, else beside it, until the signal that it is given fires. Never rejects. */
  readonly beside?: ((records: RecordTaker, signal: AbortSignal) => Promise<void>) | undefined;
}

/** What a worker is doing at any moment. */
export interface Running {
  /** Messages. */
  readonly inHand: number;
  /** Whether what comes can't be written for lack of room. */
  readonly isDiskFull: boolean;
  /** What says that a side of the action is away, for whatever has come lately; undefined where it is there, or nothing has come. */
  readonly away: Error | undefined;
}

/** How the work ended. */
export interface WorkEnd {
  /** Why a record was left undone, the last one; undefined where all is done. */
  readonly failure: IsyncError | undefined;
}

/**
 * Works on the events of a source until the signal fires, or with `once` until there is no more to do.
 * @throws IsyncError where the source can't be used at all
 */
export async function work<Target>(options: WorkOptions<Target>): Promise<WorkEnd> {
  const { source, action, once, log, observer, signal, buckets, beside } = options;
  const undone = new Undone();
  const stop = new AbortController();
  const ended = AbortSignal.any([signal, stop.signal]);
  const breakers = new Breakers(log);
  const hold = ({ code }: IsyncError): void => {
    if (code === 'STORE_FULL') intake.diskFull();
    else if (breakers.allOpenMs > 0) intake.pause(breakers.allOpenMs);
  };
  const lanes = new Lanes<Target>({
    ...options,
    act: breakers.guard(async (task, each) => {
      const outcome = await action.act(task, each);
      if (outcome.outcome === 'written') intake.written();
      return outcome;
    }),
    needs: action.needs,
    // What waits must go back to a queue meanwhile: one of our own does not count that.
    areShared: 'dead' in source && buckets.length !== 1,
    onLeft: () => intake.madeRoom(),
    signal: ended,
    onRetry: ({ task }, error) => {
      observer.retried();
      log.warn(`tried again: ${error.message}`, { ...taskFields(task), code: error.code });
      hold(error);
    },
  });
  const records = new Records<Target>({
    ...options,
    lanes,
    breakers,
    buckets: buckets.length > 0 ? new Set(buckets) : undefined,
    failed: (what, error) => {
      undone.failed(what, error);
      hold(error);
    },
    settled: (what) => undone.settled(what),
  });
  // Enough that no action waits, and other workers have their share.
  const messagesInHand = inHandFor(options);
  const intake = new Intake({
    ...options,
    messagesInHand,
    resting: () => lanes.resting,
    records,
    abandon: () => stop.abort(),
    signal: ended,
  });
  options.started?.({
    get inHand() {
      return intake.inHand;
    },
    get isDiskFull() {
      return intake.isDiskFull;
    },
    get away() {
      return breakers.away;
    },
  });
  try {
    if (once) {
      await replayAll({ ...options, records, signal: ended });
      await beside?.(records, ended);
      await intake.run();
    } else {
      const others = [
        beside?.(records, ended) ?? Promise.resolve(),
        followReplays({ ...options, records, signal: ended }),
      ];
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
  return { failure: undone.reason };
}

/**
 * How many messages are taken before some are done. Where each event counts, one place must not have all the room; and other workers
 * of a queue of our own want their share. Undefined: as many as make a single reader quick.
 */
function inHandFor<Target>({ source, action, concurrency }: WorkOptions<Target>): number | undefined {
  if (action.needs === 'each') return IN_HAND_AT_PLACE * concurrency;
  return 'dead' in source ? IN_HAND_PER_ACTION * concurrency : undefined;
}
