import type { Argument, Command, OptionTable } from '../command.ts';
import { BACKUP_OPTIONS, EXAMPLE, JOBS, SHARED } from './backup-options.ts';
import { FLAG, TEXT, WHAT } from './options.ts';

const RUN = { group: 'This run:' } as const;
const JOB_OPTION = {
  job: { ...TEXT, ...WHAT, describe: 'Name of the job; where the file has one job, that one' },
} as const;
/** Beside names of backups, where a name alone could be either. */
const JOBS_OPTION = {
  job: { ...TEXT, ...WHAT, describe: 'Name of the job', defaultDescription: 'all of the file' },
} as const;
const STORE = {
  target: { ...TEXT, ...WHAT, describe: 'One of the places under "to", as list has it (default: all)' },
} as const;
const NAME = {
  name: 'name',
  kind: 'word',
  describe: 'Name of a backup, as list has it',
} as const satisfies Argument;

/** Settings that these options give, and nothing else does. */
const BY_OPTION = {
  job: 'job',
  store: 'target',
  tagged: 'tag',
  at: 'at',
  restoreTo: 'to',
  printed: 'stdout',
  replace: 'replace',
  resume: 'resume',
  deep: 'deep',
  sample: 'sample',
  source: 'source',
  agree: 'agree',
} as const;

const TAG = {
  tag: {
    ...WHAT,
    type: 'array',
    string: true,
    requiresArg: true,
    describe: 'KEY=VALUE: only backups with this tag; may be repeated',
  },
} as const satisfies OptionTable;

const RESTORE_OPTIONS = {
  to: {
    ...TEXT,
    ...WHAT,
    describe: 'Folder to restore into: missing or empty, but for --replace [required]',
  },
  at: {
    ...TEXT,
    ...WHAT,
    describe:
      'The newest backup of this time or before, like "2025-04-05 12:00" in the time zone of the job; a day alone is its end',
  },
  stdout: { ...TEXT, ...WHAT, describe: 'Print this one file of the backup, and restore nothing' },
  ...JOB_OPTION,
  target: {
    ...TEXT,
    ...WHAT,
    describe: 'Read from this one of the places under "to", as list has it (default: the first that has it)',
  },
  replace: {
    ...FLAG,
    ...RUN,
    describe: 'Restore beside the folder, then take its place; the old one stays as DIR.isync-old',
  },
  resume: { ...FLAG, ...RUN, describe: 'Go on with a restore that was interrupted' },
  ...BACKUP_OPTIONS,
} as const satisfies OptionTable;

const VERIFY_OPTIONS = {
  deep: { ...FLAG, ...RUN, describe: 'Read every byte of every archive and list' },
  sample: { ...TEXT, ...RUN, describe: 'Read this much, like 2GiB: what was longest not read' },
  source: {
    ...FLAG,
    ...RUN,
    describe: 'Compare the newest backup with the files that have not changed since',
  },
  ...JOBS_OPTION,
  ...STORE,
  ...BACKUP_OPTIONS,
} as const satisfies OptionTable;

const PRUNE_OPTIONS = {
  'dry-run': { ...FLAG, ...RUN, describe: 'Say what would be removed, and why the rest stays' },
  agree: {
    ...FLAG,
    ...RUN,
    describe:
      'Remove, from now on too, although a backup is half of the one before or less: you have looked, it is right',
  },
  wait: { ...FLAG, ...RUN, describe: 'Wait while a run of the job goes on, in place of ending' },
  ...STORE,
  ...BACKUP_OPTIONS,
} as const satisfies OptionTable;

const shared = { ...SHARED, byOption: BY_OPTION } as const;

/** `isync backup list|restore|verify|prune|mark|unmark`. */
export const backCommands: readonly Command[] = [
  {
    ...shared,
    name: 'list',
    summary: 'List the backups of each store, and what is wrong with them',
    usage: '$0 backup list [JOB] --config FILE [options]',
    examples: [
      [`$0 backup list ${EXAMPLE}`, 'All jobs and stores'],
      [`$0 backup list --tag env=production ${EXAMPLE}`, 'Those with a tag'],
      [`$0 backup list app_data --json ${EXAMPLE}`, 'For programs'],
    ],
    arguments: [JOBS],
    options: { ...TAG, ...STORE, ...BACKUP_OPTIONS },
    load: async () => (await import('../backup/list.ts')).runBackupList,
  },
  {
    ...shared,
    name: 'restore',
    summary: 'Restore a backup, or files of it',
    usage: '$0 backup restore NAME|latest|--at TIME [GLOB…] --to DIR --config FILE [options]',
    examples: [
      [`$0 backup restore latest --to /srv/back ${EXAMPLE}`, 'All of the newest whole one'],
      [`$0 backup restore latest srv/app/etc '*.conf' --to /srv/back ${EXAMPLE}`, 'A folder, and some files'],
      [`$0 backup restore --at "2025-04-05 12:00" --to /srv/back ${EXAMPLE}`, 'As it was then'],
      [`$0 backup restore latest --stdout srv/app/config.json ${EXAMPLE}`, 'One file, printed'],
    ],
    arguments: [
      {
        name: 'what',
        kind: 'any',
        describe:
          'Name of a backup or "latest", none with --at; then globs: a name at any depth, or a whole path',
      },
    ],
    options: RESTORE_OPTIONS,
    load: async () => (await import('../backup/restore.ts')).runBackupRestore,
  },
  {
    ...shared,
    name: 'verify',
    summary: 'Prove that backups can be restored',
    usage: '$0 backup verify [NAME…] --config FILE [options]',
    examples: [
      [`$0 backup verify ${EXAMPLE}`, 'Manifests, chains and sizes: a listing and little more'],
      [`$0 backup verify --sample 2GiB ${EXAMPLE}`, 'In turn some of all bytes'],
      [`$0 backup verify --deep ${EXAMPLE}`, 'All bytes'],
    ],
    arguments: [{ name: 'names', kind: 'any', describe: 'Names of backups; none: all' }],
    options: VERIFY_OPTIONS,
    hasUnits: true,
    load: async () => (await import('../backup/verify.ts')).runBackupVerify,
  },
  {
    ...shared,
    name: 'prune',
    summary: 'Remove what "keep" of the job does not keep, and what killed runs have left',
    usage: '$0 backup prune [JOB] --config FILE [options]',
    examples: [
      [`$0 backup prune --dry-run ${EXAMPLE}`, 'What would go, and why does the rest stay?'],
      [`$0 backup prune app_data --agree ${EXAMPLE}`, 'A backup of half the size is right'],
    ],
    arguments: [JOBS],
    options: PRUNE_OPTIONS,
    load: async () => (await import('../backup/prune.ts')).runBackupPrune,
  },
  {
    ...shared,
    name: 'mark',
    summary: 'Keep a backup whatever the rule says',
    usage: '$0 backup mark NAME REASON --config FILE [options]',
    examples: [[`$0 backup mark app_full_20250405T120000Z_001.tar.zst "before the upgrade" ${EXAMPLE}`, '']],
    arguments: [NAME, { name: 'reason', kind: 'word', describe: 'Why: list shows it' }],
    options: { ...JOB_OPTION, ...STORE, ...BACKUP_OPTIONS },
    load: async () => (await import('../backup/mark.ts')).runBackupMark,
  },
  {
    ...shared,
    name: 'unmark',
    summary: 'Leave a marked backup to the rule again',
    usage: '$0 backup unmark NAME --config FILE [options]',
    examples: [[`$0 backup unmark app_full_20250405T120000Z_001.tar.zst ${EXAMPLE}`, '']],
    arguments: [NAME],
    options: { ...JOB_OPTION, ...STORE, ...BACKUP_OPTIONS },
    load: async () => (await import('../backup/mark.ts')).runBackupUnmark,
  },
];
