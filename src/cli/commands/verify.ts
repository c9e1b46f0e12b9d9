import type { CommandModule } from 'yargs';
import type { Found } from './invocation.ts';
import {
  COMMON_OPTIONS,
  FLAG,
  LINK,
  LINK_OPTIONS,
  S3_OPTIONS,
  SENDER_OPTIONS,
  TEXT,
  UNIT_HELP,
  WHAT,
  type OptionTable,
} from './options.ts';

export const VERIFY_OPTIONS = {
  ...SENDER_OPTIONS,
  quick: { ...FLAG, ...WHAT, describe: 'Compare sizes and times only, not content' },
  repair: { ...FLAG, ...WHAT, describe: 'Let the next scan send what the target lacks or holds differently' },
  'replace-damaged': {
    ...FLAG,
    ...WHAT,
    describe: 'With --repair: also what a power cut seems to have damaged here',
  },
  ...LINK_OPTIONS,
  'retry-for': {
    ...TEXT,
    ...LINK,
    describe: 'Give up on the target after this long (bare number: s)',
    defaultDescription: '20s',
  },
  ...S3_OPTIONS,
  ...COMMON_OPTIONS,
} as const satisfies OptionTable;

export function verifyCommand(found: Found): CommandModule {
  return {
    command: 'verify [root]',
    describe: 'Compare every file below a folder with the target',
    builder: (yargs) =>
      yargs
        .usage('$0 verify ROOT --to TARGET [options]')
        .positional('root', { type: 'string', describe: 'Folder with the data directories' })
        .options(VERIFY_OPTIONS)
        .epilogue(UNIT_HELP)
        .example('$0 verify /datas --to ws://backup:7400', 'Compare all content')
        .example('$0 verify /datas --to /mnt/backup --quick', 'Compare sizes and times')
        .example('$0 verify /datas --to ws://backup:7400 --repair', 'Then "isync scan" mends the target')
        .example('$0 verify /datas --to s3://bucket/site1 --quick', 'With a bucket: a request for each file')
        .example('$0 verify /datas --to ws://backup:7400 --tag DC1 --json', 'Some directories, for a script'),
    handler: (flags) => found({ command: 'verify', flags }),
  };
}
