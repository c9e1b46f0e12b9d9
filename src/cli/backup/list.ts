import type { Catalogue } from '../../backup/catalogue/catalogue.ts';
import { type Standing, standingsOf } from '../../backup/catalogue/standing.ts';
import type { BackupJob } from '../../backup/job.ts';
import type { JobState } from '../../backup/state/job-state.ts';
import type { BackupTarget } from '../../backup/target/target.ts';
import { printable } from '../../observe/printable.ts';
import { errorText } from '../output.ts';
import { type JobsWork, jobsCommand } from './backup-command.ts';
import { type Look, lookAt, storesNamed } from './catalogues.ts';
import { jobsNamed } from './choose-job.ts';
import { errorObject, exitOf } from './exit-of.ts';
import { openKnownState } from './known-state.ts';
import { locksOf } from './locks.ts';
import { type ListedBackup, listedObject, tableOfBackups } from './list-text.ts';
import { openStores } from './open-stores.ts';

/** `isync backup list`. Exit code 1: a store or an object can't be read, or a backup is damaged. */
export const runBackupList = jobsCommand(async (given) => {
  const { config, words, output } = given;
  const jobs = jobsNamed(given.jobs, words['job']);
  const looks: Look[] = [];
  const told: object[] = [];
  let hasProblems = false;
  for (const job of jobs) {
    await using stores = await openStores(job);
    using state = await openKnownState(job, given.log);
    const found = await lookAt(storesNamed(stores.targets, config.store, job), { ...given, state });
    looks.push(...found);
    const targets: object[] = [];
    for (const look of found) {
      const listed = await listOne(given, job, look, state);
      targets.push(listed.object);
      hasProblems ||= listed.hasProblems;
    }
    told.push({ job: job.name, targets });
  }
  return output.done({ jobs: told }, exitOf(looks, hasProblems));
});

async function listOne(
  given: JobsWork,
  job: BackupJob,
  look: Look,
  state: JobState | undefined,
): Promise<{ readonly object: object; readonly hasProblems: boolean }> {
  const { output } = given;
  const { name } = look.target;
  output.text(`${job.name} at ${printable(name)}`);
  if ('error' in look) {
    output.text(`  can't be read: ${printable(look.error.message)} [${look.error.code}]`);
    process.stderr.write(errorText(look.error));
    return { object: { target: name, error: errorObject(look.error) }, hasProblems: true };
  }
  const { catalogue, target } = look;
  const backups = await backupsOf(given, catalogue, target, state);
  if (backups.length === 0) output.text('  no backup');
  for (const line of tableOfBackups(backups)) output.text(`  ${line}`);
  for (const { standing } of backups)
    if (standing.fault !== undefined)
      output.text(`  damaged: ${printable(`${standing.backup.manifest.name}: ${standing.fault}`)}`);
  for (const { key, error } of catalogue.unreadable)
    output.text(`  unreadable: ${printable(`${key}: ${error.message}`)} [${error.code}]`);
  return {
    object: {
      target: name,
      backups: backups.map(listedObject),
      unreadable: catalogue.unreadable.map(({ key, error }) => ({ key, error: errorObject(error) })),
    },
    hasProblems:
      catalogue.unreadable.length > 0 || backups.some(({ standing }) => standing.fault !== undefined),
  };
}

/** The newest first; those with the tags that are asked for. */
async function backupsOf(
  { config, log, signal }: JobsWork,
  catalogue: Catalogue,
  target: BackupTarget,
  state: JobState | undefined,
): Promise<readonly ListedBackup[]> {
  const records = state?.targets ?? { verification: () => undefined };
  const isAsked = ({ backup }: Standing): boolean =>
    config.tagged.every(([key, value]) => backup.manifest.tags[key] === value);
  const standings = standingsOf(catalogue, target.name, records).filter(isAsked);
  const keys = standings.map(({ backup }) => backup.manifest.archive.key);
  const locks = await locksOf(target, keys, { log, signal });
  return standings.map((standing) => ({
    standing,
    lockedUntilMs: locks.get(standing.backup.manifest.archive.key),
  }));
}
