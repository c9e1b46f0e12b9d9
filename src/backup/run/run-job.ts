import { randomUUID } from 'node:crypto';
import { type IsyncError, toIsyncError } from '../../model/isync-error.ts';
import { createEncryption } from '../encrypt/create-encryption.ts';
import type { Pruned } from '../prune/pruned.ts';
import type { JobState } from '../state/job-state.ts';
import { openJobState } from '../state/open-state.ts';
import { takeRunLock } from '../state/run-lock.ts';
import { backUp } from './back-up.ts';
import { interruptedRun } from './resume.ts';
import { runCommand } from './run-command.ts';
import type { RunContext } from './run-context.ts';
import { RunKeeper } from './run-keeper.ts';
import type { RunBackup, RunRequest, RunResult } from './run-request.ts';

/**
 * One run of a job, from its lock to its end. What fails in it is in the result; only a run that does not begin rejects.
 * @throws IsyncError BUSY where another run goes on; the reason of the signal while it waits for that
 */
export async function runJob(request: RunRequest): Promise<RunResult> {
  const { job, isWaiting, signal, log } = request;
  try {
    using _ = await takeRunLock(job.stateDir, { isWaiting, signal });
    using state = await openJobState(job.stateDir);
    return await underLock(request, state);
  } catch (cause) {
    const error = toIsyncError(cause, 'INTERNAL');
    if (error.code === 'BUSY' || signal.aborted) throw error;
    // The state itself can't be used: nobody else would tell.
    const keeper = new RunKeeper(begun(request, undefined), undefined, log);
    request.notices?.started(keeper.record);
    return ended(request, keeper, { error, isComplete: false, hasProblems: false, result: NOTHING });
  }
}

const NOTHING = { backups: [], failures: [], pruned: [] } as const;

async function underLock(request: RunRequest, state: JobState): Promise<RunResult> {
  const { job, notices, signal, now = Date.now } = request;
  const runs = state.runs.list();
  const interrupted = interruptedRun(runs, state.packs.find(), now());
  for (const { id, endedMs } of runs)
    if (endedMs === undefined && id !== interrupted?.id)
      state.runs.update(id, { stage: 'interrupted', endedMs: now() });
  const keeper = new RunKeeper(begun(request, interrupted?.id), state.runs, request.log);
  const log = request.log.with({ job: job.name, run: keeper.record.id });
  notices?.started(keeper.record);
  const backups: RunBackup[] = [];
  const pruned: Pruned[] = [];
  let error: IsyncError | undefined;
  let hasProblems = false;
  const context: RunContext = {
    request,
    state,
    keeper,
    encryption: undefined,
    surveyed: new Map(),
    failures: new Map(),
    backups,
    log,
    signal,
    now,
  };
  try {
    const encryption = job.recipients.length === 0 ? undefined : createEncryption(job.recipients);
    hasProblems = await backUp({ ...context, encryption }, pruned);
  } catch (cause) {
    error = toIsyncError(cause, 'INTERNAL');
    if (!signal.aborted) log.error('the run has failed', { err: cause });
  }
  const isComplete = error === undefined && context.failures.size === 0;
  hasProblems = !(await afterwards(context, error, isComplete)) || hasProblems;
  const failures = [...context.failures.values()];
  return ended(request, keeper, { error, isComplete, hasProblems, result: { backups, failures, pruned } });
}

function begun({ type, trigger, now = Date.now }: RunRequest, id: string | undefined) {
  return { id: id ?? randomUUID(), startedMs: now(), type: type ?? 'full', trigger } as const;
}

/** Runs `after` of the job, however the run has ended. Whether it went well. */
async function afterwards(
  context: RunContext,
  error: Error | undefined,
  isComplete: boolean,
): Promise<boolean> {
  const { request, keeper, log } = context;
  const { after, name } = request.job;
  if (after === undefined) return true;
  const outcome = isComplete ? 'complete' : request.signal.aborted ? 'interrupted' : 'failed';
  try {
    await runCommand(after, {
      name: 'after',
      environment: { BACKUP_JOB: name, BACKUP_RUN: keeper.record.id, BACKUP_OUTCOME: outcome },
      log,
      signal: request.cut,
    });
    return true;
  } catch (err) {
    log.error('"after" of the job has failed', { err, outcome, error: error?.message });
    return false;
  }
}

interface Ending {
  readonly error: IsyncError | undefined;
  readonly isComplete: boolean;
  readonly hasProblems: boolean;
  readonly result: Pick<RunResult, 'backups' | 'failures' | 'pruned'>;
}

function ended(request: RunRequest, keeper: RunKeeper, ending: Ending): RunResult {
  const { signal, notices, log, now = Date.now } = request;
  const { error, isComplete, hasProblems, result } = ending;
  const [failure] = result.failures;
  const cause = error ?? (failure && toIsyncError(failure.error, 'INTERNAL'));
  const isInterrupted = signal.aborted && !isComplete;
  const isClean = !hasProblems && keeper.record.problems === 0;
  const stage = isInterrupted ? 'interrupted' : !isComplete ? 'failed' : isClean ? 'done' : 'problems';
  const told = cause && { code: cause.code, message: cause.message };
  const change = { stage, endedMs: now(), error: told } as const;
  try {
    keeper.update(change);
  } catch (err) {
    log.error('how the run has ended can not be kept', { err });
  }
  const run = { ...keeper.record, ...change };
  if (result.failures.length > 0 && error === undefined)
    for (const { target, error: its } of result.failures) {
      const { code, message } = toIsyncError(its, 'INTERNAL');
      notices?.ended({ ...run, error: { code, message } }, target);
    }
  else notices?.ended(run);
  return { run, ...result, error };
}
