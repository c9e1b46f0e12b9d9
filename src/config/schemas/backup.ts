import { z } from 'zod';
import { fromFile } from '../from-file.ts';
import { parseState } from '../pull-values.ts';
import { backupBackAsks } from './backup-back.ts';
import { backupDaemonAsks } from './backup-daemon.ts';
import { backupJob } from './backup-job.ts';
import { backupRunAsks } from './backup-run.ts';
import { common, fault, progressSettings, statusSettings } from './common.ts';

export const backupSchema = z
  .strictObject({
    jobs: z
      .array(backupJob, {
        error: ({ input }) =>
          input === undefined ? 'is missing; only a config file can give it' : 'is no list of jobs',
      })
      .min(1, 'is empty; there is one job at least'),
    /** Absolute path of the folder with a folder for each job that names none of its own. */
    stateDir: fromFile(parseState('backup')),
    ...statusSettings,
    ...backupRunAsks,
    ...backupBackAsks,
    ...backupDaemonAsks,
    ...progressSettings,
    ...common,
  })
  .superRefine(({ jobs }, context) => {
    const names = jobs.map(({ name }) => name.toLowerCase());
    names.forEach((name, index) => {
      if (names.indexOf(name) < index)
        context.addIssue({
          code: 'custom',
          path: ['jobs', index, 'name'],
          message: 'is the name of another job already, and a folder in its stores',
        });
    });
    const folders = jobs.map(({ stateDir }) => stateDir);
    folders.forEach((folder, index) => {
      if (folder !== undefined && folders.indexOf(folder) < index)
        context.addIssue({
          code: 'custom',
          path: ['jobs', index, 'stateDir'],
          message: 'is the folder of another job already',
        });
    });
    if (jobs.length > MAX_JOBS) fault(context, 'jobs', `has more than ${MAX_JOBS} jobs`);
  });

/** Jobs of one file: each has its own lock, state and timer in a daemon. */
const MAX_JOBS = 1000;

export type BackupConfig = z.output<typeof backupSchema>;
