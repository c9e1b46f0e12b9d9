import type { Command, OptionTable } from '../command.ts';
import { FLAG, TEXT } from './options.ts';

const KEYS = { group: 'Which keys:' } as const;
const RUN = { group: 'This run:' } as const;

const LIST = {
  list: {
    ...TEXT,
    ...KEYS,
    describe: 'File with a key, a /path or a URL of the origin in each line; - for stdin',
    defaultDescription: 'all that the s3:// origins list',
  },
  failed: { ...TEXT, ...RUN, describe: 'File for the keys that failed: a list for the next run' },
} as const;

const FILL = {
  changed: {
    ...FLAG,
    ...KEYS,
    describe: 'Also what is newer or of another size at the origin, and unchanged in the bucket',
  },
  'dry-run': { ...FLAG, ...RUN, describe: 'Say what would be filled, and do nothing' },
} as const;

const REPORT = {
  days: { ...TEXT, ...KEYS, describe: 'How far to look back, in days', defaultDescription: '7' },
  depth: {
    ...TEXT,
    ...KEYS,
    describe: 'Segments of the keys that are told apart',
    defaultDescription: '1',
  },
  log: {
    ...KEYS,
    type: 'array',
    string: true,
    requiresArg: true,
    describe: 'Log of the server: what it did not keep is seen there alone; may be repeated',
  },
} as const;

/** Settings of the section that these commands alone have as options. */
export const BULK_SETTINGS = ['list', 'failed', 'changed', 'dryRun', 'days', 'depth', 'log'] as const;

const load = async () => await import('../run-mirror-bulk.ts');

/** `isync mirror fill|verify|report`. @param shared where the bucket and the origins are */
export function bulkCommands(
  shared: OptionTable,
  {
    bwlimit,
    variables,
  }: { readonly bwlimit: OptionTable[string]; readonly variables: Record<string, string> },
): readonly Command[] {
  const common = {
    arguments: [],
    ownFile: true,
    variables,
    secrets: ['token'],
    heapPlan: 'receiver',
  } as const;
  const config = '--config /etc/isync/mirror.yaml';
  return [
    {
      ...common,
      name: 'fill',
      summary: 'Fill what the bucket lacks: of a list, or all of an old bucket',
      usage: '$0 mirror fill --config FILE [--list FILE] [options]',
      examples: [
        [`$0 mirror fill ${config}`, 'All that the s3:// origins have'],
        [`$0 mirror fill ${config} --list urls.txt --failed failed.txt`, 'All of a list'],
        [`$0 mirror fill ${config} --list failed.txt`, 'What failed, once more'],
        [`$0 mirror fill ${config} --changed`, 'Also what has changed at the origin'],
      ],
      options: { ...LIST, ...FILL, bwlimit, ...shared },
      hasUnits: true,
      load: async () => (await load()).runMirrorFill,
    },
    {
      ...common,
      name: 'verify',
      summary: 'Say what the bucket lacks, or has otherwise than the origin',
      usage: '$0 mirror verify --config FILE [--list FILE] [options]',
      examples: [
        [`$0 mirror verify ${config}`, 'All that the s3:// origins have'],
        [`$0 mirror verify ${config} --list urls.txt --failed wrong.txt`, 'All of a list'],
      ],
      options: { ...LIST, ...shared },
      hasUnits: false,
      load: async () => (await load()).runMirrorVerify,
    },
    {
      ...common,
      name: 'report',
      summary: 'Say what requests still brought from the origin, by prefix',
      usage: '$0 mirror report --config FILE [--days N] [--log FILE…] [options]',
      examples: [
        [`$0 mirror report ${config} --days 14`, 'As the bucket tells'],
        [`$0 mirror report ${config} --log mirror.log --log mirror.log.1`, 'And the log of the server'],
      ],
      options: { ...REPORT, ...shared },
      hasUnits: false,
      load: async () => (await load()).runMirrorReport,
    },
  ];
}
