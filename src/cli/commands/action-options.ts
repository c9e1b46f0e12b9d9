import type { OptionTable } from '../command.ts';
import { TEXT } from './options.ts';

export const DO = { group: 'What is done about events:' } as const;
const WAYS = { group: 'How to get to buckets and queues:' } as const;

/** For `pull` and `webhook`: what is done about events but for writing files. */
export const ACTION_OPTIONS = {
  script: { ...TEXT, ...DO, describe: 'Program to run: FILE BUCKET KEY copy|delete, the event on stdin' },
  to: { ...TEXT, ...DO, describe: 's3://BUCKET[/PREFIX] or store:NAME to copy objects to' },
  forward: { ...TEXT, ...DO, describe: 'Queue to send events on to: sqs:NAME, sqs:URL, nats://…, amqp://…' },
  timeout: { ...TEXT, ...DO, describe: 'Longest time of a script', defaultDescription: '5m' },
  'source-endpoint': { ...TEXT, ...WAYS, describe: 'URL of the object store that tells, if not AWS' },
  'source-region': { ...TEXT, ...WAYS, describe: 'Its region' },
  'source-profile': { ...TEXT, ...WAYS, describe: 'Profile of ~/.aws/config with its credentials' },
  'target-endpoint': { ...TEXT, ...WAYS, describe: 'URL of the object store of --to, if not AWS' },
  'target-region': { ...TEXT, ...WAYS, describe: 'Its region' },
  'target-profile': { ...TEXT, ...WAYS, describe: 'Profile of ~/.aws/config with its credentials' },
  'forward-endpoint': { ...TEXT, ...WAYS, describe: 'URL of the queue server of --forward sqs:, if not AWS' },
} as const satisfies OptionTable;
