import type { OptionTable } from '../command.ts';
import { DEFAULT_IGNORE } from '../../model/default-ignore.ts';

/**
 * An option with a value. Every value reaches src/config as text (`parse-numbers` is off), so no type is given: help would
 * only repeat it. requiresArg keeps "--to --once" from taking a flag for a value.
 */
export const TEXT = { requiresArg: true } as const;
export const FLAG = { type: 'boolean' } as const;

/** How sizes, durations and rates are written, for the end of a command's help. */
export const UNIT_HELP =
  'Durations: 250ms, 10s, 5m, 1h, 2d. Sizes: 500kB, 10MiB, 2GiB. Rates: 2MB/s, 10MiB/s.';

export const WHAT = { group: 'What and where:' } as const;
const GENERAL = { group: 'General:' } as const;
export const LINK = { group: 'Link:' } as const;

/** Of a command that ends by itself. */
export const RETRY_FOR_OPTION = {
  'retry-for': {
    ...TEXT,
    ...LINK,
    describe: 'Give up on the target after this long (bare number: s)',
    defaultDescription: '20s',
  },
} as const satisfies OptionTable;

export const COMMON_OPTIONS = {
  config: { ...TEXT, ...GENERAL, describe: 'YAML file with a section for each command' },
  json: { ...FLAG, ...GENERAL, describe: 'Print one JSON object on stdout, for programs' },
  'log-level': {
    ...TEXT,
    ...GENERAL,
    choices: ['debug', 'info', 'warn', 'error', 'silent'],
    describe: 'How much to log on stderr',
    defaultDescription: 'info',
  },
  'log-format': {
    ...TEXT,
    ...GENERAL,
    choices: ['auto', 'json', 'text', 'journal'],
    describe:
      'JSON lines, lines for people, or key=value with priorities for journald (auto: whichever reads it)',
    defaultDescription: 'auto',
  },
} as const satisfies OptionTable;

/** For every command that tells how far it is. */
export const PROGRESS_OPTIONS = {
  stats: {
    ...TEXT,
    ...GENERAL,
    describe: 'In a log (no terminal), tell how far it is this often while something moves; 0: never',
    defaultDescription: '1m',
  },
} as const satisfies OptionTable;

/** Short forms of --log-level, by the letter: every command that has that option has these. */
export const LEVEL_LETTERS = {
  v: { ...FLAG, ...GENERAL, describe: 'Log more: --log-level debug', level: 'debug' },
  q: { ...FLAG, ...GENERAL, describe: 'Log less: --log-level warn', level: 'warn' },
} as const;

export const SEEN = { group: 'How it can be seen:' } as const;

/** For every command that runs long. */
export const STATUS_OPTIONS = {
  status: {
    ...TEXT,
    ...SEEN,
    describe: 'HOST:PORT that serves the status page, /metrics, /healthz and /readyz',
  },
  'status-token-file': {
    ...TEXT,
    ...SEEN,
    describe: 'File with the token that --status asks for; needed beyond loopback',
  },
} as const satisfies OptionTable;

const HOOKS = { group: 'Who is told:' } as const;

/** For commands that seal, or see what is sealed. */
export const HOOK_OPTIONS = {
  'on-seal': {
    ...TEXT,
    ...HOOKS,
    describe: 'Program or URL that is told of each directory sealed, by JSON; in a file also a list of words',
  },
  'on-problem': {
    ...TEXT,
    ...HOOKS,
    describe: 'Program or URL that is told when something needs a person, and when it is over',
  },
  'hook-state': {
    ...TEXT,
    ...HOOKS,
    describe: 'Folder for what these are still owed',
    defaultDescription: '$STATE_DIRECTORY, else $XDG_STATE_HOME/isync, else ~/.local/state/isync',
  },
} as const satisfies OptionTable;

/** For `scan`, `verify` and `expire`: which files are compared or sent, and under which device name. */
export const SENDER_OPTIONS = {
  to: {
    ...TEXT,
    ...WHAT,
    describe:
      'Target: ws://HOST:PORT, wss://HOST:PORT, s3://BUCKET/PREFIX, a folder or store:NAME of the config file [required]',
  },
  device: {
    ...TEXT,
    ...WHAT,
    describe: 'Name of this machine at the target',
    defaultDescription: 'its host name',
  },
  tag: { ...TEXT, ...WHAT, describe: 'Only data directories whose name begins so' },
  ignore: {
    ...WHAT,
    type: 'array',
    string: true,
    requiresArg: true,
    describe: 'Glob pattern of more files to leave alone; may be repeated',
  },
  'default-ignore': {
    ...FLAG,
    ...WHAT,
    describe: `Leave alone ${DEFAULT_IGNORE.join(' ')}; --no-default-ignore sends them too`,
    defaultDescription: 'on',
  },
  digest: {
    ...TEXT,
    ...WHAT,
    choices: ['xxh64', 'sha256'],
    describe: 'Digest of whole files',
    defaultDescription: 'xxh64',
  },
} as const satisfies OptionTable;

export const LINK_OPTIONS = {
  'token-file': { ...TEXT, ...LINK, describe: 'File that holds the token (or set ISYNC_TOKEN)' },
  'tls-ca': { ...TEXT, ...LINK, describe: "Certificates to trust instead of the system's (PEM)" },
  'tls-cert': { ...TEXT, ...LINK, describe: 'Certificate to show to the receiver (PEM)' },
  'tls-key': { ...TEXT, ...LINK, describe: 'Its private key (PEM)' },
} as const satisfies OptionTable;

const S3 = { group: 'With s3://BUCKET/PREFIX (credentials as for the AWS CLI):' } as const;

/** How a bucket is reached, for commands that only read. */
export const S3_ACCESS_OPTIONS = {
  's3-endpoint': { ...TEXT, ...S3, describe: 'URL of a server that is not AWS, like https://s3.example' },
  's3-region': {
    ...TEXT,
    ...S3,
    describe: 'Region of the bucket',
    defaultDescription: 'that of the profile',
  },
  's3-path-style': {
    ...FLAG,
    ...S3,
    describe: 'The bucket in the path, not in the host name',
    defaultDescription: 'with --s3-endpoint',
  },
  's3-profile': { ...TEXT, ...S3, describe: 'Profile of ~/.aws/config with the credentials' },
} as const satisfies OptionTable;

export const S3_OPTIONS = {
  ...S3_ACCESS_OPTIONS,
  's3-storage-class': { ...TEXT, ...S3, describe: 'Storage class of new objects, like STANDARD_IA' },
  's3-sse': {
    ...TEXT,
    ...S3,
    choices: ['AES256', 'aws:kms'],
    describe: 'Encryption at the server',
    defaultDescription: "the bucket's",
  },
  's3-sse-kms-key-id': { ...TEXT, ...S3, describe: 'Key for aws:kms: id, alias or ARN' },
  's3-part-memory': {
    ...TEXT,
    ...S3,
    describe: 'Memory for parts of files on their way',
    defaultDescription: '48MiB',
  },
  's3-tag': {
    ...S3,
    type: 'array',
    string: true,
    requiresArg: true,
    describe: 'KEY=VALUE tag of new objects; may be repeated',
  },
} as const satisfies OptionTable;
