import { dirname } from 'node:path';
import { jobsOf } from '../../backup/jobs-of-config.ts';
import type { BackupJob } from '../../backup/job.ts';
import { backupSchema, type BackupConfig } from '../../config/schemas/backup.ts';
import { ensureFolder } from '../../sqlite/state-folder.ts';
import type { Run } from '../command.ts';
import type { ExitCode } from '../exit-codes.ts';
import { lastingCommand, type LastingWork } from '../lasting-command.ts';
import { trustSystemCas } from '../trust-system-cas.ts';
import { jobNamed } from './choose-job.ts';

/** For a command that ends as soon as it can, and whose next run goes on. */
export const STOPPING = 'stopping; once more stops at once';

export interface JobWork extends LastingWork<BackupConfig> {
  readonly job: BackupJob;
}

/** A command about one job: that of the argument `job`, or the only one. The folder of its state is there, but for the last part. */
export function jobCommand(work: (given: JobWork) => Promise<ExitCode>): Run {
  return jobsCommand(async (given) => {
    const job = jobNamed(given.jobs, given.words['job']);
    await ensureParent(given.config, job);
    return await work({ ...given, job });
  });
}

export interface JobsWork extends LastingWork<BackupConfig> {
  /** All of the file. */
  readonly jobs: readonly BackupJob[];
}

/** A command about the jobs of the file. */
export function jobsCommand(work: (given: JobsWork) => Promise<ExitCode>): Run {
  return lastingCommand(backupSchema, STOPPING, async (given) => {
    trustSystemCas();
    return await work({ ...given, jobs: jobsOf(given.config) });
  });
}

/** Makes the folder that has one for each job; the folder of a job is made with what is first written into it. */
export async function ensureParent(
  { stateDir }: Pick<BackupConfig, 'stateDir'>,
  job: Pick<BackupJob, 'stateDir'>,
): Promise<void> {
  if (dirname(job.stateDir) === stateDir) await ensureFolder(stateDir);
}
