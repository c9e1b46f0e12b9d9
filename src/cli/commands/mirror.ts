import type { Command, OptionTable } from '../command.ts';
import { BULK_SETTINGS, bulkCommands } from './mirror-bulk.ts';
import { COMMON_OPTIONS, FLAG, S3_OPTIONS, TEXT, STATUS_OPTIONS } from './options.ts';

const WHERE = { group: 'What is filled, and from where:' } as const;
const HOW = { group: 'How it is answered:' } as const;
const WHO = { group: 'Who may ask:' } as const;
const LIMITS = { group: 'Limits:' } as const;
const RUN = { group: 'This run:' } as const;

/** Parts of large objects have a fixed share of memory. */
const { 's3-part-memory': _, ...S3 } = S3_OPTIONS;

const CONFIG_OPTION = {
  ...COMMON_OPTIONS,
  config: {
    ...COMMON_OPTIONS.config,
    describe: 'YAML file with these settings and "rules", or a section for each command',
  },
} as const;

const OPTIONS = {
  bucket: {
    ...TEXT,
    ...WHERE,
    describe: 'Bucket that is filled: NAME, s3://BUCKET/PREFIX or store:NAME (or set s3_bucket) [required]',
  },
  'external-endpoint': {
    ...TEXT,
    ...WHERE,
    describe: 'URL of the origin of every key, where there are no "rules" (or set external_endpoint)',
  },
  'service-endpoint': {
    ...TEXT,
    ...WHERE,
    describe: 'URL where clients are sent back to, before "/KEY" (or set service_endpoint)',
  },
  except: {
    ...WHERE,
    type: 'array',
    string: true,
    requiresArg: true,
    describe: 'Glob of keys that are never filled, like tmp/**; may be repeated',
  },
  'on-miss': {
    ...TEXT,
    ...HOW,
    choices: ['redirect', 'stream', 'redirect-origin'],
    describe: 'To the bucket once it is stored; as it comes; or to the origin at once',
    defaultDescription: 'redirect with a service endpoint, else stream',
  },
  'on-hit': {
    ...TEXT,
    ...HOW,
    choices: ['stream', 'redirect'],
    describe: 'What the bucket has is streamed, or the client sent back',
    defaultDescription: 'stream',
  },
  fallback: {
    ...FLAG,
    ...HOW,
    describe: 'Asked by a CDN for what it did not get from the bucket: an old object there is a loop',
  },
  listen: {
    ...TEXT,
    ...WHO,
    describe: 'HOST:PORT; port 0 takes a free one',
    defaultDescription: '127.0.0.1:7480',
  },
  public: {
    ...FLAG,
    ...WHO,
    describe: 'Listen beyond loopback though anybody may read the bucket through it',
  },
  'token-file': {
    ...TEXT,
    ...WHO,
    describe: 'File with the token that requests must bring as bearer (or set ISYNC_TOKEN)',
  },
  spool: {
    ...TEXT,
    ...LIMITS,
    describe: 'Folder for bodies that are coming',
    defaultDescription: "the system's for temporary files",
  },
  'spool-size': { ...TEXT, ...LIMITS, describe: 'Most bytes in it', defaultDescription: '10GiB' },
  'max-fills': { ...TEXT, ...LIMITS, describe: 'Objects fetched at a time', defaultDescription: '64' },
  'max-waiting': {
    ...TEXT,
    ...LIMITS,
    describe: 'Requests that wait for an origin; more get 503',
    defaultDescription: '4000',
  },
  bwlimit: {
    ...TEXT,
    ...LIMITS,
    describe:
      'Most bytes a second (bare number: KiB/s) from all origins, like 20MB/s, or by time: "08:00,5MB 18:00,off"',
  },
  grace: { ...TEXT, ...RUN, describe: 'Time for fills under way when it ends', defaultDescription: '60s' },
  ...STATUS_OPTIONS,
  ...S3,
  ...CONFIG_OPTION,
} as const satisfies OptionTable;

const {
  bucket,
  'external-endpoint': externalEndpoint,
  except,
  spool,
  'spool-size': spoolSize,
  bwlimit,
} = OPTIONS;

/** What the commands below have of them. */
const PLACES = {
  bucket,
  'external-endpoint': externalEndpoint,
  except,
  spool,
  'spool-size': spoolSize,
} as const;

const VARIABLES = {
  bucket: 's3_bucket',
  externalEndpoint: 'external_endpoint',
  serviceEndpoint: 'service_endpoint',
} as const;

export const mirror: Command = {
  name: 'mirror',
  summary: 'Answer from a bucket, and fill it from its origin as it is asked for',
  usage: '$0 mirror --config FILE [options]\n$0 mirror --bucket NAME --external-endpoint URL [options]',
  examples: [
    ['$0 mirror --config /etc/isync/mirror.yaml', 'Rules for each kind of key in a file'],
    ['$0 mirror --bucket new --external-endpoint https://old.example', 'All of one origin, on loopback'],
    [
      's3_bucket=new external_endpoint=https://old.example service_endpoint=https://cdn.example $0 mirror',
      'The same in the environment; clients are sent back to the CDN',
    ],
  ],
  arguments: [],
  options: OPTIONS,
  ownFile: true,
  variables: VARIABLES,
  notOptions: ['rules', ...BULK_SETTINGS],
  secrets: ['token'],
  hasUnits: true,
  heapPlan: 'sender',
  load: async () => (await import('../run-mirror.ts')).runMirror,
  below: bulkCommands({ ...PLACES, ...S3, ...CONFIG_OPTION }, { bwlimit, variables: VARIABLES }),
};
