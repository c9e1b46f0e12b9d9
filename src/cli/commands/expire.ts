import type { Command, OptionTable } from '../command.ts';
import {
  COMMON_OPTIONS,
  FLAG,
  LINK_OPTIONS,
  PROGRESS_OPTIONS,
  RETRY_FOR_OPTION,
  S3_OPTIONS,
  SENDER_OPTIONS,
  TEXT,
  WHAT,
} from './options.ts';

const GOES = { group: 'What goes:' } as const;

const OPTIONS = {
  ...SENDER_OPTIONS,
  keep: { ...TEXT, ...GOES, describe: 'Directories go this long after they were sealed, like 7d' },
  'min-free': {
    ...TEXT,
    ...GOES,
    describe: 'Directories go, the oldest first, while less of the disk is free, like 20% or 10GiB',
  },
  'keep-at-least': {
    ...TEXT,
    ...GOES,
    describe: 'None goes sooner after it was sealed, however short room is',
    defaultDescription: '1d',
  },
  'max-delete': {
    ...TEXT,
    ...GOES,
    describe: 'Most directories that go in one run',
    defaultDescription: 'all that are due',
  },
  newest: {
    ...TEXT,
    ...GOES,
    choices: ['birthtime', 'mtime', 'name'],
    describe: 'How the scan knows the newest directory, which stays while another one stands open',
    defaultDescription: 'birthtime',
  },
  'dry-run': { ...FLAG, ...WHAT, describe: 'Compare, and say what would go; remove nothing' },
  'read-back': {
    ...FLAG,
    ...WHAT,
    describe: 'Read every byte at the target, also where a bucket keeps a digest with the object',
  },
  ...LINK_OPTIONS,
  ...RETRY_FOR_OPTION,
  ...S3_OPTIONS,
  ...PROGRESS_OPTIONS,
  ...COMMON_OPTIONS,
} as const satisfies OptionTable;

export const expire: Command = {
  name: 'expire',
  summary: 'Make room: remove directories that are whole at the target',
  usage: '$0 expire ROOT --to TARGET --keep AGE [options]',
  examples: [
    ['$0 expire /datas --to ws://backup:7400 --keep 7d --dry-run', 'What would go?'],
    ['$0 expire /datas --to ws://backup:7400 --keep 7d', 'What was sealed a week ago'],
    ['$0 expire /datas --to ws://backup:7400 --min-free 20%', 'The oldest, until a fifth is free'],
    ['$0 expire /datas --to s3://bucket/site1 --keep 30d --min-free 10GiB', 'Either reason'],
    ['$0 scan /datas --to ws://backup:7400 --expire-min-free 20%', 'By a scan that goes on'],
  ],
  arguments: [{ name: 'root', kind: 'setting', describe: 'Folder with the data directories' }],
  options: OPTIONS,
  secrets: ['token'],
  hasUnits: true,
  heapPlan: 'sender',
  load: async () => (await import('../run-expire.ts')).runExpire,
};
