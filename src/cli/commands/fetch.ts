import type { Command, OptionTable } from '../command.ts';
import {
  COMMON_OPTIONS,
  FLAG,
  LINK_OPTIONS,
  PROGRESS_OPTIONS,
  RETRY_FOR_OPTION,
  S3_ACCESS_OPTIONS,
  WHAT,
} from './options.ts';

/** What is read, by `isync ls` and `isync fetch`. */
const FROM = {
  name: 'from',
  kind: 'setting',
  describe:
    'ws://HOST:PORT, wss://HOST:PORT, s3://BUCKET/PREFIX, a folder or store:NAME of the config file; then /DEVICE, /DIRECTORY or more',
} as const;

const FETCH_OPTIONS = {
  overwrite: { ...FLAG, ...WHAT, describe: 'Replace files that are there with another content' },
  ...LINK_OPTIONS,
  ...RETRY_FOR_OPTION,
  ...S3_ACCESS_OPTIONS,
  ...PROGRESS_OPTIONS,
  ...COMMON_OPTIONS,
} as const satisfies OptionTable;

const LS_OPTIONS = {
  ...LINK_OPTIONS,
  ...RETRY_FOR_OPTION,
  ...S3_ACCESS_OPTIONS,
  ...COMMON_OPTIONS,
} as const satisfies OptionTable;

export const ls: Command = {
  name: 'ls',
  summary: 'List what is kept: devices, directories, files',
  usage: '$0 ls FROM [options]',
  examples: [
    ['$0 ls /srv/isync', 'Which devices are there?'],
    ['$0 ls /srv/isync/edge1', 'The directories of one; which are sealed?'],
    ['$0 ls s3://bucket/site1/edge1/DC1', 'The files of a directory in a bucket'],
    ['$0 ls wss://backup.example:7400/edge1 --token-file T', 'What a receiver keeps of edge1'],
    ['$0 ls store:main/edge1 --config isync.yaml --json', 'Of a named store, for a script'],
  ],
  arguments: [FROM],
  options: LS_OPTIONS,
  secrets: ['token'],
  hasUnits: false,
  heapPlan: 'sender',
  load: async () => (await import('../run-ls.ts')).runLs,
};

export const fetch: Command = {
  name: 'fetch',
  summary: 'Bring files back from where they are kept',
  usage: '$0 fetch FROM INTO [GLOB..] [options]',
  examples: [
    ['$0 fetch /srv/isync/edge1/DC1 /tmp/DC1', 'One directory; run again, it goes on'],
    ['$0 fetch s3://bucket/site1/edge1 /srv/back', 'All of a device, from a bucket'],
    [
      '$0 fetch wss://backup.example:7400/edge1/DC1 /tmp/DC1 --token-file T',
      'From a receiver; the token must read',
    ],
    ["$0 fetch s3://bucket/site1/edge1 /srv/back 'DC1/**/*.log' DC2", 'Some of it'],
    ['$0 fetch /srv/isync /srv/back --overwrite', 'All; what differs here is replaced'],
  ],
  arguments: [
    FROM,
    {
      name: 'into',
      kind: 'setting',
      describe: 'Folder that gets what lies below FROM; made if it is missing',
    },
    { name: 'globs', kind: 'any', describe: 'Only files of this path or name, or in such folders' },
  ],
  options: FETCH_OPTIONS,
  secrets: ['token'],
  hasUnits: false,
  heapPlan: 'sender',
  load: async () => (await import('../run-fetch.ts')).runFetch,
};
