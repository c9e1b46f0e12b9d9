import type { Command, OptionTable } from '../command.ts';
import { BACKUP_OPTIONS, EXAMPLE, JOB, SHARED } from './backup-options.ts';
import { STATUS_OPTIONS } from './options.ts';

const DAEMON_OPTIONS = {
  ...STATUS_OPTIONS,
  ...BACKUP_OPTIONS,
} as const satisfies OptionTable;

/** `isync backup daemon|check`. */
export const daemonCommands: readonly Command[] = [
  {
    ...SHARED,
    name: 'daemon',
    summary: 'Run and verify all jobs by their schedules, and tell people',
    usage: '$0 backup daemon --config FILE [options]',
    examples: [
      [`$0 backup daemon ${EXAMPLE}`, 'Until a signal ends it'],
      [`$0 backup daemon ${EXAMPLE} --status 127.0.0.1:9464`, 'With metrics for Prometheus'],
    ],
    arguments: [],
    options: DAEMON_OPTIONS,
    load: async () => (await import('../run-backup-daemon.ts')).runBackupDaemon,
  },
  {
    ...SHARED,
    name: 'check',
    summary: 'Try the stores of the jobs: credentials, permissions, locks, speed, and the private key',
    usage: '$0 backup check [JOB] --config FILE [options]',
    examples: [
      [`$0 backup check ${EXAMPLE}`, 'Exit code 0: all is well'],
      [`$0 backup check app_data ${EXAMPLE} --json`, 'One job, for programs'],
    ],
    arguments: [JOB],
    options: BACKUP_OPTIONS,
    load: async () => (await import('../run-backup-check.ts')).runBackupCheck,
  },
];
