import type { Command, OptionTable } from '../command.ts';
import { ACTION_OPTIONS } from './action-options.ts';
import { COMMON_OPTIONS, FLAG, TEXT, WHAT, STATUS_OPTIONS } from './options.ts';
import { parkedCommands } from './parked.ts';

const HOW = { group: 'How to get there:' } as const;
const EVENTS = { group: 'Events:' } as const;
const FILES = { group: 'Files:' } as const;
const RUN = { group: 'This run:' } as const;

const OPTIONS = {
  queue: { ...TEXT, ...WHAT, describe: 'Queue of SQS with the events: name, URL or ARN [required]' },
  source: {
    ...TEXT,
    ...WHAT,
    describe: 'Or a queue of another kind: amqp://HOST/QUEUE or nats://HOST/STREAM',
  },
  sync: {
    ...WHAT,
    type: 'array',
    string: true,
    requiresArg: true,
    describe: 'PREFIX=FOLDER: where what is below a prefix goes; may be repeated; in a file a map',
  },
  ...ACTION_OPTIONS,
  state: {
    ...TEXT,
    ...WHAT,
    describe: 'Folder for what isync remembers, and for parked records',
    defaultDescription: 'CONFIG.state, beside the config file',
  },
  once: { ...FLAG, ...RUN, describe: 'End when the queue is empty; else go on until stopped' },
  resync: { ...FLAG, ...RUN, describe: 'Compare everything at the start (in a file: start, or an interval)' },
  check: { ...FLAG, ...RUN, describe: 'Try queue, rights and folders, say what is lacking, and end' },
  'dry-run': { ...FLAG, ...RUN, describe: 'Say what would be done, and do nothing' },
  ...STATUS_OPTIONS,
  region: { ...TEXT, ...HOW, describe: 'Region of the queue', defaultDescription: 'that of the profile' },
  profile: { ...TEXT, ...HOW, describe: 'Profile of ~/.aws/config with the credentials' },
  'role-arn': { ...TEXT, ...HOW, describe: 'Role to assume' },
  'sqs-endpoint': { ...TEXT, ...HOW, describe: 'URL of a queue server that is not AWS' },
  's3-endpoint': { ...TEXT, ...HOW, describe: 'URL of an object store that is not AWS' },
  fips: { ...FLAG, ...HOW, describe: 'Endpoints validated for FIPS' },
  'dual-stack': { ...FLAG, ...HOW, describe: 'Endpoints with IPv6' },
  'request-payer': { ...FLAG, ...HOW, describe: 'Pay for the requests to a bucket that asks for it' },
  buckets: {
    ...EVENTS,
    type: 'array',
    string: true,
    requiresArg: true,
    describe: 'Bucket whose events count; may be repeated',
    defaultDescription: 'any',
  },
  'bucket-owner': { ...TEXT, ...EVENTS, describe: 'Account that must own the buckets' },
  'key-encoding': {
    ...TEXT,
    ...EVENTS,
    choices: ['auto', 'form', 'raw'],
    describe: 'How keys are written in events',
    defaultDescription: 'auto',
  },
  unmatched: {
    ...TEXT,
    ...EVENTS,
    choices: ['release', 'discard'],
    describe: 'What to do with an event below no prefix',
    defaultDescription: 'release',
  },
  attempts: {
    ...TEXT,
    ...EVENTS,
    describe: 'Failures of a record before it is parked',
    defaultDescription: '5',
  },
  concurrency: { ...TEXT, ...EVENTS, describe: 'Keys at a time', defaultDescription: '32' },
  delete: {
    ...FLAG,
    ...FILES,
    describe: 'Remove the files of removed objects; --no-delete keeps them',
    defaultDescription: 'on',
  },
  'max-delete': {
    ...TEXT,
    ...FILES,
    describe: 'A comparison that would remove more of the known files stops: a share, or a number',
    defaultDescription: '25%',
  },
  mode: { ...TEXT, ...FILES, describe: 'Mode of what is written', defaultDescription: '0644' },
  owner: { ...TEXT, ...FILES, describe: 'Owner of what is written: USER, USER:GROUP or UID:GID' },
  'min-free': { ...TEXT, ...FILES, describe: 'Leave so much of the disk free', defaultDescription: '1GiB' },
  exec: {
    ...TEXT,
    ...FILES,
    describe: 'Program to run after changes, with their paths on stdin; in a file also a list of words',
  },
  'exec-delay': {
    ...TEXT,
    ...FILES,
    describe: 'From the last change to the program (bare number: s)',
    defaultDescription: '2s',
  },
  ...COMMON_OPTIONS,
  config: {
    ...COMMON_OPTIONS.config,
    describe: 'YAML file with these settings, or a section for each command',
  },
} as const satisfies OptionTable;

const parked = parkedCommands('pull', async () => (await import('../run-parked.ts')).pullParked, {
  byOption: { resyncNow: 'resync' },
});

export const pull: Command = {
  name: 'pull',
  summary: 'Follow a bucket by the events in a queue, into local folders',
  usage: '$0 pull --config FILE [options]\n$0 pull parked list|show|replay|drop --config FILE',
  examples: [
    ['$0 pull --config /etc/isync/pull.yaml', 'Follow until stopped'],
    ['$0 pull --config /etc/isync/pull.yaml --check', 'What is lacking?'],
    ['$0 pull --config /etc/isync/pull.yaml --once --json', 'What there is to do, for cron or a script'],
    ['$0 pull --config /etc/isync/pull.yaml --resync', 'On a new machine, or after lost events'],
    ['$0 pull --queue events --sync web/=/srv/www', 'Without a file'],
  ],
  arguments: [],
  options: OPTIONS,
  ownFile: true,
  byOption: { resyncNow: 'resync' },
  hasUnits: true,
  heapPlan: 'events',
  load: async () => (await import('../run-pull.ts')).runPull,
  below: [parked],
};
