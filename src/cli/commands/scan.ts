import type { Command, OptionTable } from '../command.ts';
import {
  COMMON_OPTIONS,
  PROGRESS_OPTIONS,
  FLAG,
  HOOK_OPTIONS,
  LINK,
  LINK_OPTIONS,
  S3_OPTIONS,
  SENDER_OPTIONS,
  SEEN,
  STATUS_OPTIONS,
  TEXT,
  WHAT,
} from './options.ts';

const WHEN = { group: 'When:' } as const;

const OPTIONS = {
  ...SENDER_OPTIONS,
  once: { ...FLAG, ...WHAT, describe: 'Do what there is to do, then end; else go on until stopped' },
  complete: {
    ...TEXT,
    ...WHEN,
    choices: ['auto', 'close-write', 'settle'],
    describe: 'How to know that a file is complete',
    defaultDescription: 'auto',
  },
  settle: {
    ...TEXT,
    ...WHEN,
    describe: 'A file has settled when unchanged for this long (bare number: ms)',
    defaultDescription: '250ms',
  },
  quiet: {
    ...TEXT,
    ...WHEN,
    describe: 'Seal an unclosed directory when nothing has changed in it for this long (bare number: s)',
    defaultDescription: '10m',
  },
  newest: {
    ...TEXT,
    ...WHEN,
    choices: ['birthtime', 'mtime', 'name'],
    describe: 'How the newest directory is known',
    defaultDescription: 'birthtime',
  },
  marks: {
    ...TEXT,
    ...WHEN,
    choices: ['trust', 'verify'],
    describe:
      'A marked file that the target lacks is sent (verify), or a problem that prevents the seal (trust)',
    defaultDescription: 'verify',
  },
  'max-watched': {
    ...TEXT,
    ...WHEN,
    describe: 'Unsealed directories watched at a time, the newest first; others are listed in turns',
    defaultDescription: '64',
  },
  reopen: {
    ...FLAG,
    ...WHEN,
    describe: 'Send what has appeared in a sealed directory; else it is the problem SEALED_GROWN',
  },
  'replace-damaged': {
    ...FLAG,
    ...WHEN,
    describe: 'Send files that look damaged by a power cut (SOURCE_DAMAGED) over the copy at the target',
  },
  'expire-keep': {
    ...TEXT,
    ...WHEN,
    describe: 'Remove directories this long after they were sealed, like 7d; see "isync expire"',
  },
  'expire-min-free': {
    ...TEXT,
    ...WHEN,
    describe: 'The same while less of the disk is free, like 20% or 10GiB, the oldest first',
  },
  ...LINK_OPTIONS,
  'retry-for': {
    ...TEXT,
    ...LINK,
    describe: 'Give up on the target after this long (bare number: s)',
    defaultDescription: '20s with --once, else never',
  },
  bwlimit: {
    ...TEXT,
    ...LINK,
    describe: 'Most bytes a second (bare number: KiB/s), like 2MB/s, or by time: "08:00,512KiB 18:00,off"',
  },
  compress: { ...FLAG, ...LINK, describe: 'Compress what shrinks (zstd), for a thin link to a receiver' },
  'max-unsent-age': {
    ...TEXT,
    ...SEEN,
    describe: 'A file that waits longer to be sent is an alarm; 0: never (bare number: s)',
    defaultDescription: '1d',
  },
  'stuck-after': {
    ...TEXT,
    ...SEEN,
    describe:
      'A directory that is filled and not written to for so long is an alarm; 0: never (bare number: s)',
    defaultDescription: '6h',
  },
  ...STATUS_OPTIONS,
  ...HOOK_OPTIONS,
  ...S3_OPTIONS,
  ...PROGRESS_OPTIONS,
  ...COMMON_OPTIONS,
} as const satisfies OptionTable;

const WORDS =
  'Sends the files of the data directories (the folders in ROOT), each as soon as it is complete: its writer has closed it, or it ' +
  'has not changed for --settle. Once a file is durable at the target it gets a mark, its group-write bit. A directory is sealed ' +
  'once all of it is at the target and it gets no more files: finished.parse says so, or there is a newer directory and nothing ' +
  'in this one has changed for --quiet, which makes it quiet. To seal it, isync writes finished.watch into it, and does not look ' +
  'into it again. The scan goes on until it is stopped; with --once it does what there is to do, and ends.';

export const scan: Command = {
  name: 'scan',
  summary: 'Send the finished files below a folder to a target',
  usage: `$0 scan ROOT --to TARGET [options]\n\n${WORDS}`,
  examples: [
    ['$0 scan /datas --to ws://backup:7400', 'Look after /datas until stopped'],
    ['$0 scan /datas --to wss://backup:7400 --token-file /etc/isync/token', 'With TLS and a token'],
    ['$0 scan /datas --to wss://backup:7400 --compress', 'Logs, CSV or JSON over a thin link'],
    ['$0 scan /datas --to ws://backup:7400 --status 127.0.0.1:7480', 'With a status page'],
    ['$0 scan /datas --to /mnt/backup --once --json', 'To a folder, once, for a script'],
    ['$0 scan /datas --to wss://backup:7400 --on-seal ./after-seal', 'Run a program after each seal'],
    ['$0 scan --config /etc/isync/isync.yaml', 'As it says; "scans:" in it lists several roots'],
    ['$0 scan /datas --to s3://bucket/site1 --s3-region eu-central-1', 'To a bucket of AWS'],
    ['$0 scan /datas --to s3://bucket --s3-endpoint https://s3.example', 'To a bucket of another server'],
  ],
  arguments: [{ name: 'root', kind: 'setting', describe: 'Folder with the data directories' }],
  options: OPTIONS,
  secrets: ['token'],
  hasUnits: true,
  heapPlan: 'sender',
  load: async () => (await import('../run-scan.ts')).runScan,
};
