import { retrying } from '../../flow/retry.ts';
import { pause } from '../../flow/wake-up.ts';
import { type IsyncError, toIsyncError } from '../../model/isync-error.ts';
import type { Apply } from '../action/download/task.ts';
import { downloadAction, type DownloadTarget } from '../action/download/download-action.ts';
import type { MaxDelete } from '../../config/pull-values.ts';

import type { RecordTaker } from '../work/records.ts';
import { work, type WorkEnd, type WorkOptions } from '../work/work.ts';
import { bucketsToCompare } from './buckets-to-compare.ts';
import { type CompareOptions, resync } from './resync.ts';

/** How long a comparison with `once` begins again where the listing fails, in ms: somebody, or cron, calls it again. */
const ONCE_COMPARES_FOR_MS = 20_000;
/** Longest wait before a comparison begins again, in ms: each lists everything. */
const LONGEST_COMPARE_DELAY_MS = 5 * 60_000;

export interface PullOptions
  extends Omit<CompareOptions, 'buckets'>, Omit<WorkOptions<DownloadTarget>, 'action' | 'beside'> {
  readonly apply: Apply;
  readonly maxDelete: MaxDelete;
  /** When the folders are compared with the bucket. */
  readonly resync: { readonly atStart: boolean; readonly everyMs: number | undefined };
}

/**
 * Makes folders what the buckets are, by the events of a source, until the signal fires, or with `once` until there is no more
 * to do. The failure that it resolves with may also be why a comparison stopped.
 * @throws IsyncError where the source, or with `once` the comparison, can't be used at all
 */
export async function pull(options: PullOptions): Promise<WorkEnd> {
  const { state, once, log, buckets, keys, apply } = options;
  let stopped: IsyncError | undefined;
  const compare = async (records: RecordTaker, signal: AbortSignal): Promise<void> => {
    await resync({
      ...options,
      records,
      buckets: bucketsToCompare(buckets, state),
      // The next comparison finds them again.
      patienceMs: once ? 0 : (options.resync.everyMs ?? Infinity),
      signal,
    });
  };
  const told = (err: IsyncError): void => log.warn('the comparison with the bucket begins again', { err });
  const tolerant = async (records: RecordTaker, signal: AbortSignal): Promise<void> => {
    try {
      const policy = {
        giveUpAfterMs: once ? ONCE_COMPARES_FOR_MS : undefined,
        longestDelayMs: LONGEST_COMPARE_DELAY_MS,
      };
      await retrying(() => compare(records, signal), policy, { signal, onRetry: told });
    } catch (thrown) {
      if (signal.aborted) return;
      stopped = toIsyncError(thrown, 'INTERNAL');
      log.error('the comparison with the bucket failed', { err: stopped });
    }
  };
  const beside = async (records: RecordTaker, signal: AbortSignal): Promise<void> => {
    const { atStart, everyMs } = options.resync;
    if (atStart) await tolerant(records, signal);
    if (once || everyMs === undefined) return;
    for (await pause(everyMs, signal); !signal.aborted; await pause(everyMs, signal))
      await tolerant(records, signal);
  };
  const { failure } = await work({ ...options, action: downloadAction(keys, apply), beside });
  return { failure: stopped ?? failure };
}
