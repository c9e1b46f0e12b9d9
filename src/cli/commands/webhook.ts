import type { Command, CommandGroup, OptionTable } from '../command.ts';
import { ACTION_OPTIONS, DO } from './action-options.ts';
import { COMMON_OPTIONS, FLAG, TEXT, STATUS_OPTIONS } from './options.ts';
import { parkedCommands } from './parked.ts';

const IN = { group: 'Where events come from:' } as const;
const WHO = { group: 'Who may post:' } as const;
const HOW = { group: 'How it is done:' } as const;
const KEPT = { group: 'The queue:' } as const;
const RUN = { group: 'This run:' } as const;

const LIST = { type: 'array', string: true, requiresArg: true } as const;

const QUEUE_OPTIONS = {
  queue: {
    ...TEXT,
    ...KEPT,
    describe: 'File, nats://HOST[:PORT][/NAME] or amqp://HOST[:PORT]',
    defaultDescription: 'queue.db in the state',
  },
  'queue-max': {
    ...TEXT,
    ...KEPT,
    describe: 'Most messages in it; beyond that posts are answered with 503',
    defaultDescription: '1000000',
  },
  'min-free': {
    ...TEXT,
    ...KEPT,
    describe: 'Leave so much of the disk free; beyond that 503, too',
    defaultDescription: '1GiB',
  },
  state: {
    ...TEXT,
    ...KEPT,
    describe: 'Folder for the queue, what isync remembers, and parked records',
    defaultDescription: 'CONFIG.state, beside the config file, or webhook.state',
  },
} as const satisfies OptionTable;

const CONFIG_OPTION = {
  ...COMMON_OPTIONS,
  config: {
    ...COMMON_OPTIONS.config,
    describe: 'YAML file with these settings, or a section for each command',
  },
} as const;

const OPTIONS = {
  port: { ...TEXT, ...IN, describe: 'Port to listen on; 0 takes a free one', defaultDescription: '80' },
  address: {
    ...TEXT,
    ...IN,
    describe: 'Address to listen on',
    defaultDescription: 'all where something says who may post, else 127.0.0.1',
  },
  'tls-cert': { ...TEXT, ...IN, describe: 'Certificate of this server (PEM); makes it https://' },
  'tls-key': { ...TEXT, ...IN, describe: 'Its private key (PEM)' },
  'public-url': { ...TEXT, ...IN, describe: 'URL that VK Cloud was given, where a proxy changes it' },
  'trusted-proxy': {
    ...LIST,
    ...IN,
    describe: 'Network of a proxy whose X-Forwarded-… count; may be repeated',
  },
  source: {
    ...TEXT,
    ...IN,
    describe: 'Read amqp://HOST/QUEUE or nats://HOST/STREAM, which a store fills, in place of HTTP',
  },
  topic: {
    ...LIST,
    ...IN,
    describe: 'Topic of VK Cloud or SNS whose handshake is answered; may be repeated',
    defaultDescription: 'any of VK Cloud, none of SNS',
  },
  buckets: {
    ...LIST,
    ...IN,
    describe: 'Bucket whose events count; may be repeated',
    defaultDescription: 'any',
  },
  'key-encoding': {
    ...TEXT,
    ...IN,
    choices: ['auto', 'form', 'raw'],
    describe: 'How keys are written in events',
    defaultDescription: 'auto',
  },
  'token-file': { ...TEXT, ...WHO, describe: 'File with the token that a post must bring' },
  'secret-path-file': { ...TEXT, ...WHO, describe: 'File with SECRET: posts go to /webhook/SECRET' },
  network: { ...LIST, ...WHO, describe: 'Network that may post, like 10.0.0.0/8; may be repeated' },
  insecure: { ...FLAG, ...WHO, describe: 'Listen beyond loopback though anybody may post' },
  ...ACTION_OPTIONS,
  sync: {
    ...LIST,
    ...DO,
    describe: 'PREFIX=FOLDER to write objects to, as in "isync pull"; may be repeated',
  },
  role: {
    ...TEXT,
    ...HOW,
    choices: ['receive', 'work', 'both'],
    describe: 'Take events, work on them, or both',
    defaultDescription: 'both',
  },
  concurrency: { ...TEXT, ...HOW, describe: 'Events worked on at a time', defaultDescription: '32' },
  attempts: { ...TEXT, ...HOW, describe: 'Failures of an event before it is dead', defaultDescription: '10' },
  delete: {
    ...FLAG,
    ...HOW,
    describe: 'Remove what was removed; --no-delete keeps it',
    defaultDescription: 'on',
  },
  'max-delete': {
    ...TEXT,
    ...HOW,
    describe: 'A resync that would remove more of the known objects stops: a share, or a number',
    defaultDescription: '25%',
  },
  mode: { ...TEXT, ...HOW, describe: 'Mode of files that are written', defaultDescription: '0644' },
  owner: { ...TEXT, ...HOW, describe: 'Owner of files that are written: USER, USER:GROUP or UID:GID' },
  ...QUEUE_OPTIONS,
  grace: { ...TEXT, ...RUN, describe: 'Time for what is under way when it ends', defaultDescription: '30s' },
  ...STATUS_OPTIONS,
  ...CONFIG_OPTION,
} as const satisfies OptionTable;

const EXAMPLE = '--config /etc/isync/webhook.yaml';

// What a request or a copy leaves behind is small objects, not buffers: a young generation that grows lets most of them die in it.
const shared = { ownFile: true, hasUnits: false, heapPlan: 'requests' } as const;
const ofQueue = { ...shared, options: { ...QUEUE_OPTIONS, ...CONFIG_OPTION } } as const;
const IDS = { name: 'id', kind: 'words', describe: 'Ids of messages, or "all"' } as const;

const dead: CommandGroup = {
  name: 'dead',
  summary: 'See, take again or drop the messages that nobody could work on',
  usage:
    '$0 webhook queue dead list [options]\n$0 webhook queue dead show ID [options]\n$0 webhook queue dead replay|drop ID…|all [options]',
  examples: [
    [`$0 webhook queue dead list ${EXAMPLE}`, 'What is dead, and why'],
    [`$0 webhook queue dead replay all ${EXAMPLE}`, 'Once the cause is mended'],
  ],
  members: [
    {
      ...ofQueue,
      name: 'list',
      summary: 'List the dead messages with their reasons',
      usage: '$0 webhook queue dead list [options]',
      examples: [[`$0 webhook queue dead list ${EXAMPLE}`, '']],
      arguments: [],
      load: async () => (await import('../run-queue.ts')).runDeadList,
    },
    {
      ...ofQueue,
      name: 'show',
      summary: 'Show one, with its event',
      usage: '$0 webhook queue dead show ID [options]',
      examples: [[`$0 webhook queue dead show ID ${EXAMPLE}`, '']],
      arguments: [{ name: 'id', kind: 'word', describe: 'Id of the message' }],
      load: async () => (await import('../run-queue.ts')).runDeadShow,
    },
    {
      ...ofQueue,
      name: 'replay',
      summary: 'Put them back into the queue, as new ones',
      usage: '$0 webhook queue dead replay ID…|all [options]',
      examples: [[`$0 webhook queue dead replay all ${EXAMPLE}`, '']],
      arguments: [IDS],
      load: async () => (await import('../run-queue.ts')).runDeadReplay,
    },
    {
      ...ofQueue,
      name: 'drop',
      summary: 'Forget them for good',
      usage: '$0 webhook queue dead drop ID…|all [options]',
      examples: [[`$0 webhook queue dead drop ID ${EXAMPLE}`, '']],
      arguments: [IDS],
      load: async () => (await import('../run-queue.ts')).runDeadDrop,
    },
  ],
};

const queue: Command = {
  ...ofQueue,
  name: 'queue',
  summary: 'Tell what is in the queue',
  usage: '$0 webhook queue [options]\n$0 webhook queue dead list|show|replay|drop [options]',
  examples: [
    [`$0 webhook queue ${EXAMPLE}`, 'How much waits, and since when'],
    ['$0 webhook queue --queue nats://localhost --json', 'For programs'],
  ],
  arguments: [],
  load: async () => (await import('../run-queue.ts')).runQueue,
  below: [dead],
};

const parked = parkedCommands('webhook', async () => (await import('../run-parked.ts')).webhookParked, {
  options: { state: QUEUE_OPTIONS.state, ...CONFIG_OPTION },
});

const resync: Command = {
  ...shared,
  name: 'resync',
  summary: 'Queue an event for each difference of two buckets; without --to, for each object',
  usage: '$0 webhook resync --buckets SOURCE --to s3://BUCKET[/PREFIX]|--script FILE|… [options]',
  examples: [
    [`$0 webhook resync ${EXAMPLE}`, 'After lost events: the workers do the rest'],
    ['$0 webhook resync --buckets a --to s3://b --max-delete 50%', 'Where much was removed'],
    ['$0 webhook resync --buckets a --script /etc/isync/on-change', 'The script for every object'],
  ],
  arguments: [],
  options: {
    buckets: { ...LIST, ...IN, describe: 'Bucket that is listed [required]; may be repeated' },
    'key-encoding': OPTIONS['key-encoding'],
    to: OPTIONS.to,
    script: OPTIONS.script,
    forward: OPTIONS.forward,
    sync: OPTIONS.sync,
    'source-endpoint': OPTIONS['source-endpoint'],
    'source-region': OPTIONS['source-region'],
    'source-profile': OPTIONS['source-profile'],
    'target-endpoint': OPTIONS['target-endpoint'],
    'target-region': OPTIONS['target-region'],
    'target-profile': OPTIONS['target-profile'],
    delete: OPTIONS.delete,
    'max-delete': OPTIONS['max-delete'],
    ...QUEUE_OPTIONS,
    ...CONFIG_OPTION,
  },
  hasUnits: true,
  load: async () => (await import('../run-resync.ts')).runWebhookResync,
};

export const webhook: Command = {
  ...shared,
  name: 'webhook',
  summary: 'Take the events of a bucket over HTTP, and run a script or copy for each',
  usage:
    '$0 webhook --script FILE|--to s3://BUCKET[/PREFIX]|--forward URL [options]\n$0 webhook queue [dead list|show|replay|drop] [options]\n$0 webhook resync [options]\n$0 webhook parked list|show|replay|drop --config FILE',
  examples: [
    [
      '$0 webhook --script /etc/isync/on-change --token-file /etc/isync/hook.token',
      'A program for each change',
    ],
    ['$0 webhook --to s3://copy --target-profile b --token-file T', 'Into another bucket'],
    ['$0 webhook --forward sqs:events --token-file T', 'On to a queue that "isync pull" reads'],
    [`$0 webhook ${EXAMPLE}`, 'All settings in a file'],
    ['$0 webhook --role receive --queue nats://localhost --token-file T', 'Take events only; others work'],
  ],
  arguments: [],
  options: OPTIONS,
  hasUnits: true,
  load: async () => (await import('../run-webhook.ts')).runWebhook,
  below: [queue, resync, parked],
};
