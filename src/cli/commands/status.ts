import type { Command, OptionTable } from '../command.ts';
import { COMMON_OPTIONS, FLAG, TEXT, WHAT } from './options.ts';

const OPTIONS = {
  watch: { ...FLAG, ...WHAT, describe: 'Look again each second, until stopped' },
  url: {
    ...TEXT,
    ...WHAT,
    describe: 'http://HOST:PORT of a status page (--status of a command), on any machine',
    defaultDescription: 'all commands of this user here; as root, of every unit',
  },
  'token-file': { ...TEXT, ...WHAT, describe: 'File that holds the token of that page' },
  ...COMMON_OPTIONS,
} as const satisfies OptionTable;

export const status: Command = {
  name: 'status',
  summary: 'Say how the commands are that run here, or one elsewhere',
  usage:
    '$0 status [--watch] [--url URL] [options]\n\nEnds with 0 where all is well, with 1 where something needs a person, with 4 where nothing answers.',
  examples: [
    ['$0 status', 'What runs here: what it does, what is wrong, and what to do about it'],
    ['$0 status --watch', 'The same, again each second'],
    ['$0 status --json | jq .reports[].alarms', 'For a program'],
    ['$0 status --url http://backup:7481 --token-file T', 'Of another machine'],
  ],
  arguments: [],
  options: OPTIONS,
  hasUnits: false,
  heapPlan: 'sender',
  load: async () => (await import('../run-status.ts')).runStatus,
};
