import { toIsyncError } from '../../model/isync-error.ts';
import { pruneJob } from '../prune/prune-job.ts';
import type { Pruned } from '../prune/pruned.ts';
import { carryOut } from './carry-out.ts';
import { planFor } from './plan-for.ts';
import { resumePacks } from './resume.ts';
import { runCommand } from './run-command.ts';
import { fail, type RunContext, takeVersion } from './run-context.ts';
import { survey, surveyAgain, type SurveyOptions } from './survey.ts';
import { tidy } from './tidy.ts';

/**
 * What a run does between its lock and `after`. Targets that fail are in the context. Returns whether something is not as it should be, though all
 * backups are complete.
 * @param pruned gets what was pruned
 * @throws IsyncError of what fails for all targets; the reason of the signal
 */
export async function backUp(context: RunContext, pruned: Pruned[]): Promise<boolean> {
  const { request, keeper, surveyed, log, signal } = context;
  const { job } = request;
  await surveyAll(context);
  if (job.before !== undefined)
    await runCommand(job.before, {
      name: 'before',
      environment: { BACKUP_JOB: job.name, BACKUP_RUN: keeper.record.id },
      log,
      signal,
    });
  const served = await resumePacks(context, ({ run }) => run === keeper.record.id);
  if (served.size < surveyed.size) await refresh(context);
  const left = [...surveyed].filter(([name]) => !served.has(name) && !context.failures.has(name));
  const planned = await planFor(
    left.map(([, found]) => found),
    context,
  );
  for (const each of planned) {
    keeper.update({ type: each.type });
    log.info('a backup begins', { type: each.type, reason: each.reason, targets: each.targets });
    // Written down before anything is begun: whatever becomes of it, no other backup is ever called so.
    await carryOut(context, each, takeVersion(context));
  }
  return await pruneAll(context, pruned);
}

async function surveyAll(context: RunContext): Promise<void> {
  const { request, surveyed, signal } = context;
  const options = surveyOptions(context);
  const found = await Promise.all(
    request.targets.map(async (target) => {
      try {
        return await survey(target, options);
      } catch (error) {
        if (!signal.aborted) fail(context, target.name, toIsyncError(error, 'INTERNAL'));
        return undefined;
      }
    }),
  );
  // In the order of the config.
  for (const each of found) if (each !== undefined) surveyed.set(each.target.name, each);
  signal.throwIfAborted();
  const [first] = context.failures.values();
  if (surveyed.size === 0 && first !== undefined) throw first.error;
}

/** After something has been gone on with, targets have more than before. */
async function refresh(context: RunContext): Promise<void> {
  if (context.backups.length === 0) return;
  for (const [name, found] of context.surveyed)
    if (context.backups.some(({ targets }) => targets.includes(name)))
      context.surveyed.set(name, await surveyAgain(found, surveyOptions(context)));
}

function surveyOptions({ request, state, keeper, log, signal, now }: RunContext): SurveyOptions {
  const { job, isAdopting } = request;
  return {
    job,
    state,
    isAdopting,
    isDryRun: false,
    nowMs: now(),
    log,
    signal,
    onRetry: () => keeper.retried(),
  };
}

/** Prunes each target where the run is complete. Whether one of them could not be. */
async function pruneAll(context: RunContext, pruned: Pruned[]): Promise<boolean> {
  const { request, state, keeper, surveyed, failures, backups, log, signal, now } = context;
  const { job } = request;
  keeper.update({ stage: 'pruning' });
  let hasFailed = false;
  for (const [name, found] of surveyed) {
    if (failures.has(name) || !backups.some(({ targets }) => targets.includes(name))) continue;
    try {
      const current = await surveyAgain(found, surveyOptions(context));
      surveyed.set(name, current);
      const { target, catalogue } = current;
      const done = await pruneJob({
        job,
        target,
        catalogue,
        state,
        run: 'complete',
        isOwn: true,
        isDryRun: false,
        log,
        signal,
        now,
      });
      pruned.push(done);
      if (done.bars.length > 0) log.warn('nothing is removed', { target: name, why: done.bars });
    } catch (err) {
      signal.throwIfAborted();
      hasFailed = true;
      log.error('a target could not be pruned', { target: name, err });
    }
  }
  await tidy(context);
  return hasFailed;
}
