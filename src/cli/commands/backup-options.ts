import type { Argument, OptionTable } from '../command.ts';
import { COMMON_OPTIONS, PROGRESS_OPTIONS, TEXT } from './options.ts';

export const EXAMPLE = '--config /etc/isync/backup.yaml';

/** What every command of backups has. The jobs stand in the file. */
export const BACKUP_OPTIONS = {
  ...PROGRESS_OPTIONS,
  ...COMMON_OPTIONS,
  config: {
    ...COMMON_OPTIONS.config,
    describe: 'YAML file with the jobs, or a section for each command [required]',
  },
  'state-dir': {
    ...TEXT,
    group: 'General:',
    describe: 'Folder with a folder for each job that names none of its own',
    defaultDescription: 'CONFIG.state, beside the config file',
  },
} as const satisfies OptionTable;

/** Which job is meant. */
export const JOB = {
  name: 'job',
  kind: 'optional',
  describe: 'Name of the job; where the file has one job, that one',
} as const satisfies Argument;

/** The same where all jobs are meant without it. */
export const JOBS = {
  ...JOB,
  describe: 'Name of the job; none: all of the file',
} as const satisfies Argument;

/** Each command has the heap plan of small requests, unless it names another one. */
export const SHARED = { ownFile: true, hasUnits: false, heapPlan: 'requests' } as const;
