import type { Command, OptionTable } from '../command.ts';
import { COMMON_OPTIONS, FLAG, HOOK_OPTIONS, S3_OPTIONS, SEEN, STATUS_OPTIONS, TEXT } from './options.ts';

const WHO = { group: 'Who may send:' } as const;
const KEPT = { group: 'What is kept:' } as const;

const OPTIONS = {
  listen: {
    ...TEXT,
    ...WHO,
    describe: 'HOST:PORT; port 0 takes a free one',
    defaultDescription: '127.0.0.1:7400',
  },
  tokens: { ...TEXT, ...WHO, describe: 'File with the tokens of devices; see "isync token"' },
  insecure: { ...FLAG, ...WHO, describe: 'Without tokens, beyond loopback: accept anyone who gets through' },
  'tls-cert': { ...TEXT, ...WHO, describe: 'Certificate of this receiver (PEM); makes it wss://' },
  'tls-key': { ...TEXT, ...WHO, describe: 'Its private key (PEM)' },
  'tls-ca': { ...TEXT, ...WHO, describe: 'Ask senders for certificates that these have signed (PEM)' },
  'max-connections': { ...TEXT, ...WHO, describe: 'Most senders at a time', defaultDescription: '64' },
  immutable: { ...FLAG, ...KEPT, describe: 'Never replace a file by different content' },
  'min-free': { ...TEXT, ...KEPT, describe: 'Leave so much of the disk free, like 1GiB (folders only)' },
  quota: { ...TEXT, ...KEPT, describe: 'Most bytes of files for each device' },
  'max-file-size': { ...TEXT, ...KEPT, describe: 'Refuse larger files' },
  retain: {
    ...TEXT,
    ...KEPT,
    describe:
      'For a buffer: remove a sealed data directory this long after its seal, like 90d (folders only)',
  },
  'retain-last': {
    ...TEXT,
    ...KEPT,
    describe: 'Sealed directories of each device that --retain leaves in any case, the newest',
    defaultDescription: '1',
  },
  'max-unsent-age': {
    ...TEXT,
    ...SEEN,
    describe: 'A file that waits longer at its device is an alarm; 0: never (bare number: s)',
    defaultDescription: '1d',
  },
  'max-silence': {
    ...TEXT,
    ...SEEN,
    describe: 'A device that has not been connected for so long is an alarm; 0: never (bare number: s)',
    defaultDescription: '1d',
  },
  ...STATUS_OPTIONS,
  ...HOOK_OPTIONS,
  ...S3_OPTIONS,
  ...COMMON_OPTIONS,
} as const satisfies OptionTable;

export const receive: Command = {
  name: 'receive',
  summary: 'Keep what devices send, in a folder or a bucket',
  usage: '$0 receive STORE [options]',
  examples: [
    ['$0 receive /backup', 'Accept this machine only'],
    ['$0 receive /backup --listen 0.0.0.0:7400 --tokens /etc/isync/tokens', 'Devices with a token'],
    ['$0 receive /backup --listen 0.0.0.0:7400 --tokens T --tls-cert C --tls-key K', 'With TLS'],
    ['$0 receive /buffer --retain 90d --retain-last 3 --tokens T', 'Sealed directories go after 90 days'],
    ['$0 receive /backup --status 127.0.0.1:7481', 'With a status page: http://127.0.0.1:7481'],
    ['$0 receive s3://bucket/backup --s3-region eu-central-1 --tokens T', 'Into a bucket of AWS'],
    ['$0 receive s3://bucket --s3-endpoint https://s3.example', 'Into one of another server'],
  ],
  arguments: [
    {
      name: 'store',
      kind: 'setting',
      describe: 'Folder, s3://BUCKET/PREFIX or store:NAME for the files; must exist',
    },
  ],
  options: OPTIONS,
  hasUnits: true,
  heapPlan: 'receiver',
  load: async () => (await import('../run-receive.ts')).runReceive,
};
