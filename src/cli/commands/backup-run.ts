import type { Command, OptionTable } from '../command.ts';
import { BACKUP_OPTIONS, EXAMPLE, JOB, JOBS, SHARED } from './backup-options.ts';
import { FLAG, TEXT } from './options.ts';

const RUN = { group: 'This run:' } as const;

const RUN_OPTIONS = {
  type: {
    ...TEXT,
    ...RUN,
    choices: ['full', 'incremental'],
    describe: 'A full backup, or what has changed since the one before (default: as "full" of the job says)',
  },
  trigger: {
    ...TEXT,
    ...RUN,
    choices: ['command', 'schedule', 'catch-up'],
    describe: 'What has begun it, for those who are told of it',
    defaultDescription: 'command',
  },
  rehash: { ...FLAG, ...RUN, describe: 'Read every file again, whatever its times say' },
  'dry-run': { ...FLAG, ...RUN, describe: 'Say what would be done, and write nothing to any store' },
  adopt: { ...FLAG, ...RUN, describe: 'Go on with a job that another machine has made the backups of' },
  wait: { ...FLAG, ...RUN, describe: 'Wait while another run of the job goes on, in place of ending' },
  ...BACKUP_OPTIONS,
} as const satisfies OptionTable;

/** `isync backup run|status`. */
export const runCommands: readonly Command[] = [
  {
    ...SHARED,
    // Much that is read is soon dead: with less room, a tenth of its time goes into collecting it.
    heapPlan: 'receiver',
    name: 'run',
    summary: 'Make one backup of a job now, at each of its targets',
    usage: '$0 backup run [JOB] --config FILE [options]',
    examples: [
      [`$0 backup run app_data ${EXAMPLE}`, 'Full or incremental, as the job has it'],
      [`$0 backup run app_data --type full ${EXAMPLE}`, 'A full one'],
      [`$0 backup run app_data --dry-run ${EXAMPLE}`, 'What would it do, and why?'],
    ],
    arguments: [JOB],
    options: RUN_OPTIONS,
    load: async () => (await import('../run-backup.ts')).runBackup,
  },
  {
    ...SHARED,
    name: 'status',
    summary: 'Tell how the jobs stand, by what this machine knows: no store is asked',
    usage: '$0 backup status [JOB] --config FILE [options]',
    examples: [
      [`$0 backup status ${EXAMPLE}`, 'Exit code 1: something needs a person'],
      [`$0 backup status ${EXAMPLE} --json`, 'For programs'],
    ],
    arguments: [JOBS],
    options: BACKUP_OPTIONS,
    load: async () => (await import('../run-backup-status.ts')).runBackupStatus,
  },
];
