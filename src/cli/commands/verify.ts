import type { Command, OptionTable } from '../command.ts';
import {
  COMMON_OPTIONS,
  PROGRESS_OPTIONS,
  RETRY_FOR_OPTION,
  FLAG,
  LINK_OPTIONS,
  S3_OPTIONS,
  SENDER_OPTIONS,
  WHAT,
} from './options.ts';

const OPTIONS = {
  ...SENDER_OPTIONS,
  quick: { ...FLAG, ...WHAT, describe: 'Compare sizes and times only, not content' },
  repair: { ...FLAG, ...WHAT, describe: 'Let the next scan send what the target lacks or holds differently' },
  'replace-damaged': {
    ...FLAG,
    ...WHAT,
    describe: 'With --repair: also what a power cut seems to have damaged here',
  },
  ...LINK_OPTIONS,
  ...RETRY_FOR_OPTION,
  ...S3_OPTIONS,
  ...PROGRESS_OPTIONS,
  ...COMMON_OPTIONS,
} as const satisfies OptionTable;

export const verify: Command = {
  name: 'verify',
  summary: 'Compare every file below a folder with the target',
  usage: '$0 verify ROOT --to TARGET [options]',
  examples: [
    ['$0 verify /datas --to ws://backup:7400', 'Compare all content'],
    ['$0 verify /datas --to /mnt/backup --quick', 'Compare sizes and times'],
    ['$0 verify /datas --to ws://backup:7400 --repair', 'Then "isync scan" mends the target'],
    ['$0 verify /datas --to s3://bucket/site1 --quick', 'With a bucket: a request for each file'],
    ['$0 verify /datas --to ws://backup:7400 --tag DC1 --json', 'Some directories, for a script'],
  ],
  arguments: [{ name: 'root', kind: 'setting', describe: 'Folder with the data directories' }],
  options: OPTIONS,
  secrets: ['token'],
  hasUnits: true,
  heapPlan: 'sender',
  load: async () => (await import('../run-verify.ts')).runVerify,
};
