import type { Catalogue } from '../../backup/catalogue/catalogue.ts';
import { standingsOf } from '../../backup/catalogue/standing.ts';
import type { BackupJob } from '../../backup/job.ts';
import { JOB_KEY } from '../../backup/names/backup-name.ts';
import { basesOf, type LocalLitter, removeLocalLitter } from '../../backup/prune/local-litter.ts';
import { pruneJob, type PruneState } from '../../backup/prune/prune-job.ts';
import { isDamage } from '../../backup/read/damage.ts';
import { readJobObject } from '../../backup/run/claim.ts';
import { openJobState } from '../../backup/state/open-state.ts';
import { takeRunLock } from '../../backup/state/run-lock.ts';
import type { JobState } from '../../backup/state/job-state.ts';
import type { BackupTarget } from '../../backup/target/target.ts';
import type { AttemptOptions } from '../../backup/upload/attempts.ts';
import { IsyncError } from '../../model/isync-error.ts';
import { printable } from '../../observe/printable.ts';
import { EXIT } from '../exit-codes.ts';
import { errorText } from '../output.ts';
import { ensureParent, type JobsWork, jobsCommand } from './backup-command.ts';
import { type Look, lookAt, storesNamed } from './catalogues.ts';
import { jobsNamed } from './choose-job.ts';
import { errorObject, exitOf } from './exit-of.ts';
import { openKnownState } from './known-state.ts';
import { openStores } from './open-stores.ts';
import { localLines, prunedLines, prunedObject } from './prune-text.ts';

/** `isync backup prune`. Exit code 1: something that is due stays, for want of a right or for a bar. */
export const runBackupPrune = jobsCommand(async (given) => {
  const { config, words, output } = given;
  const jobs = jobsNamed(given.jobs, words['job']);
  const looks: Look[] = [];
  const told: object[] = [];
  let hasProblems = false;
  try {
    for (const job of jobs) {
      const pruned = await pruneOne(given, job);
      looks.push(...pruned.looks);
      told.push({ job: job.name, targets: pruned.targets, local: pruned.local });
      hasProblems ||= pruned.hasProblems;
    }
  } catch (error) {
    // That another process is at work is no fault of the network.
    const isBusy = error instanceof IsyncError && error.code === 'BUSY';
    return output.failed(error, { jobs: told }, isBusy ? EXIT.PROBLEMS : undefined);
  }
  return output.done({ isDryRun: config.dryRun, jobs: told }, exitOf(looks, hasProblems));
});

interface PrunedStores {
  readonly looks: readonly Look[];
  readonly targets: readonly object[];
  readonly local: readonly LocalLitter[];
  readonly hasProblems: boolean;
}

async function pruneOne(given: JobsWork, job: BackupJob): Promise<PrunedStores> {
  const { config, output, log, signal } = given;
  const isDryRun = config.dryRun;
  if (!isDryRun) await ensureParent(config, job);
  using _ = isDryRun ? undefined : await takeRunLock(job.stateDir, { isWaiting: config.wait, signal });
  using state = isDryRun ? await openKnownState(job, log) : await openJobState(job.stateDir);
  await using stores = await openStores(job);
  const looks = await lookAt(storesNamed(stores.targets, config.store, job), { log, signal, state });
  const targets: object[] = [];
  let hasProblems = false;
  for (const look of looks) {
    const pruned = await pruneStore(given, job, look, state);
    targets.push(pruned.object);
    hasProblems ||= pruned.hasProblems;
  }
  const local =
    state === undefined
      ? []
      : await removeLocalLitter({
          stateDir: job.stateDir,
          underWay: new Set(state.packs.find().flatMap(({ version, base }) => [version, base ?? version])),
          bases: looks.length === stores.targets.length ? basesIn(looks, state) : undefined,
          isDryRun,
          log,
        });
  const lines = localLines(local, isDryRun);
  if (lines.length > 0) output.text(`${job.name} in ${printable(job.stateDir)}`);
  for (const line of lines) output.text(`  ${line}`);
  return { looks, targets, local, hasProblems };
}

/** Versions that the next run may be compared with; undefined where some store can't tell. */
function basesIn(looks: readonly Look[], state: JobState): ReadonlySet<number> | undefined {
  const bases = new Set<number>();
  for (const look of looks) {
    if ('error' in look) return undefined;
    const standings = standingsOf(look.catalogue, look.target.name, state.targets);
    for (const version of basesOf(standings)) bases.add(version);
  }
  return bases;
}

async function pruneStore(
  given: JobsWork,
  job: BackupJob,
  look: Look,
  state: JobState | undefined,
): Promise<{ readonly object: object; readonly hasProblems: boolean }> {
  const { config, output, signal } = given;
  const { target } = look;
  const log = given.log.with({ target: target.name });
  output.text(`${job.name} at ${target.name}`);
  try {
    if ('error' in look) throw look.error;
    const { catalogue } = look;
    const isOwn = state !== undefined && (await isOwnJob(target, catalogue, state, { log, signal }));
    const pruned = await pruneJob({
      job,
      target,
      catalogue,
      state: state ?? NOTHING_KNOWN,
      run: undefined,
      isOwn,
      isAgreed: config.agree,
      isDryRun: config.dryRun,
      log: given.log,
      signal,
    });
    for (const line of prunedLines(pruned)) output.text(`  ${line}`);
    return {
      object: prunedObject(pruned),
      hasProblems: pruned.denied !== undefined || pruned.bars.length > 0,
    };
  } catch (error) {
    if (signal.aborted || !(error instanceof IsyncError)) throw error;
    process.stderr.write(errorText(error));
    output.text(`  failed: ${error.message} [${error.code}]`);
    return { object: { target: target.name, error: errorObject(error) }, hasProblems: true };
  }
}

/** Whether the backups of a store are those of this state. */
async function isOwnJob(
  target: BackupTarget,
  catalogue: Catalogue,
  state: JobState,
  attempts: AttemptOptions,
): Promise<boolean> {
  if (!catalogue.objects.has(JOB_KEY)) return false;
  try {
    return (await readJobObject({ target, catalogue, state, attempts }))?.jobId === state.jobId;
  } catch (error) {
    // Whatever it is that stands there, it does not say that.
    if (isDamage(error)) return false;
    throw error;
  }
}

/** For a dry run where this machine has no state of the job. */
const NOTHING_KNOWN: PruneState = {
  packs: { find: () => [] },
  targets: {
    upload: () => undefined,
    verification: () => undefined,
    keepVerifications: () => undefined,
    noteRemoval: () => undefined,
    endRemoval: () => undefined,
    removals: () => new Set(),
    agreedVersion: () => 0,
    agree: () => undefined,
  },
};
