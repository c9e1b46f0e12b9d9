import { toIsyncError } from '../../model/isync-error.ts';
import { pruneJob } from '../prune/prune-job.ts';
import type { Pruned } from '../prune/pruned.ts';
import type { JobState, PackRecord } from '../state/job-state.ts';
import { openJobState } from '../state/open-state.ts';
import { takeRunLock } from '../state/run-lock.ts';
import { type Estimate, estimate } from './estimate.ts';
import { planFor } from './plan-for.ts';
import type { PlannedBackup } from './plan-backups.ts';
import { isRecent } from './resume.ts';
import type { RunRequest, TargetFailure } from './run-request.ts';
import { type Surveyed, survey } from './survey.ts';
import { withPlanned } from './with-planned.ts';

export interface DryRun {
  readonly planned: readonly (PlannedBackup & Estimate)[];
  /** What a run would go on with before. */
  readonly resumed: readonly Pick<PackRecord, 'name' | 'type' | 'targets' | 'isOverflowed'>[];
  readonly failures: readonly TargetFailure[];
  readonly pruned: readonly Pruned[];
}

export type DryRunRequest = Omit<RunRequest, 'trigger' | 'madeBy' | 'notices' | 'cut'>;

/**
 * What a run would do now. Nothing is written to any store, and no command is run.
 * @throws IsyncError BUSY; where no target can be used, or a source is at fault; the reason of the signal
 */
export async function dryRun(request: DryRunRequest): Promise<DryRun> {
  const { job, isWaiting, signal } = request;
  using _ = await takeRunLock(job.stateDir, { isWaiting, signal });
  using state = await openJobState(job.stateDir);
  return await looked(request, state);
}

async function looked(request: DryRunRequest, state: JobState): Promise<DryRun> {
  const { job, isRehash, log, signal, now = Date.now } = request;
  const surveyed: Surveyed[] = [];
  const failures: TargetFailure[] = [];
  for (const target of request.targets)
    try {
      surveyed.push(await look(target, request, state));
    } catch (error) {
      signal.throwIfAborted();
      failures.push({ target: target.name, error: toIsyncError(error, 'INTERNAL') });
    }
  const [first] = failures;
  if (surveyed.length === 0 && first !== undefined) throw first.error;
  const resumed = state.packs.find().filter((pack) => isRecent(pack, now()));
  const names = new Set(resumed.flatMap(({ targets }) => targets));
  const planned = await planFor(
    surveyed.filter(({ target }) => !names.has(target.name)),
    { request, state, now },
  );
  const estimates: (PlannedBackup & Estimate)[] = [];
  for (const each of planned)
    estimates.push({ ...each, ...(await estimate({ job, base: each.base, isRehash, log, signal })) });
  const pruned: Pruned[] = [];
  for (const found of surveyed) {
    const mine = planned.find(({ targets }) => targets.includes(found.target.name));
    const { catalogue, version } = withPlanned(found, mine, now());
    const done = await pruneJob({
      job,
      target: found.target,
      catalogue,
      state,
      run: 'complete',
      isOwn: true,
      isDryRun: true,
      log,
      signal,
      now,
    });
    pruned.push({ ...done, backups: done.backups.filter((each) => each.version !== version) });
  }
  return { planned: estimates, resumed, failures, pruned };
}

async function look(
  target: DryRunRequest['targets'][number],
  { job, isAdopting, log, signal, now = Date.now }: DryRunRequest,
  state: JobState,
): Promise<Surveyed> {
  return await survey(target, {
    job,
    state,
    isAdopting,
    isDryRun: true,
    nowMs: now(),
    log,
    signal,
    onRetry: () => undefined,
  });
}
