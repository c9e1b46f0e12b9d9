import type { Command, CommandGroup } from '../command.ts';
import { COMMON_OPTIONS, TEXT } from './options.ts';

/** What its commands share. */
const shared = {
  options: {
    tokens: { ...TEXT, describe: 'File that keeps the tokens, hashed [required]' },
    ...COMMON_OPTIONS,
  },
  hasUnits: false,
  heapPlan: 'sender',
} as const;

const add: Command = {
  ...shared,
  name: 'add',
  summary: 'Make a token for a device and print it, this once',
  usage: '$0 token add DEVICE --tokens FILE',
  examples: [['$0 token add edge1 --tokens /etc/isync/tokens', '']],
  arguments: [{ name: 'device', kind: 'word', describe: 'Name of the device' }],
  load: async () => (await import('../run-token.ts')).runAdd,
};

const list: Command = {
  ...shared,
  name: 'list',
  summary: 'List the devices that have a token',
  usage: '$0 token list --tokens FILE',
  examples: [['$0 token list --tokens /etc/isync/tokens', '']],
  arguments: [],
  load: async () => (await import('../run-token.ts')).runList,
};

const revoke: Command = {
  ...shared,
  name: 'revoke',
  summary: 'Take the tokens of a device back',
  usage: '$0 token revoke DEVICE --tokens FILE',
  examples: [['$0 token revoke edge1 --tokens /etc/isync/tokens', '']],
  arguments: [
    { name: 'device', kind: 'word', describe: 'Name of the device, or the id of one of its tokens' },
  ],
  load: async () => (await import('../run-token.ts')).runRevoke,
};

export const token: CommandGroup = {
  name: 'token',
  summary: 'Manage the tokens that a receiver accepts',
  usage: '$0 token add|revoke DEVICE --tokens FILE\n$0 token list --tokens FILE',
  examples: [
    ['$0 token add edge1 --tokens /etc/isync/tokens', 'Let edge1 in'],
    ['$0 token list --tokens /etc/isync/tokens', 'Who may send'],
    ['$0 token revoke edge1 --tokens /etc/isync/tokens', 'Let edge1 in no more'],
  ],
  members: [add, list, revoke],
};
