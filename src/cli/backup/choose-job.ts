import type { BackupJob } from '../../backup/job.ts';
import { closest } from '../../config/closest.ts';
import { IsyncError } from '../../model/isync-error.ts';

/**
 * Those that a command is about: the job of that name; without a name all.
 * @throws IsyncError USAGE
 */
export function jobsNamed(jobs: readonly BackupJob[], name: string | undefined): readonly BackupJob[] {
  return name === undefined ? jobs : [jobNamed(jobs, name)];
}

/**
 * The job of that name; without a name the only one.
 * @throws IsyncError USAGE
 */
export function jobNamed(jobs: readonly BackupJob[], name: string | undefined): BackupJob {
  const names = jobs.map((job) => job.name);
  const hint = `The config file has ${names.join(', ')}.`;
  if (name === undefined) {
    const [only] = jobs;
    if (only !== undefined && jobs.length === 1) return only;
    throw new IsyncError('USAGE', 'the config file has several jobs: name one', { hint });
  }
  const found = jobs.find((job) => job.name === name);
  if (found !== undefined) return found;
  const near = closest(name, names);
  const meant = near === undefined ? '' : `, did you mean "${near}"?`;
  throw new IsyncError('USAGE', `there is no job "${name}"${meant}`, { hint });
}
