import type { Command, CommandGroup } from '../command.ts';
import { COMMON_OPTIONS, FLAG, TEXT } from './options.ts';

/** What its commands share. */
const shared = {
  options: {
    tokens: { ...TEXT, describe: 'File that keeps the tokens, hashed [required]' },
    ...COMMON_OPTIONS,
  },
  hasUnits: false,
  // A config file says of all tokens where they are, never what a single one is for.
  byOption: { read: 'read' },
  heapPlan: 'sender',
} as const;

const add: Command = {
  ...shared,
  name: 'add',
  summary: 'Make a token for a device and print it, this once',
  usage: '$0 token add DEVICE --tokens FILE [--read]',
  examples: [
    ['$0 token add edge1 --tokens /etc/isync/tokens', 'edge1 may send'],
    ['$0 token add edge1 --read --tokens /etc/isync/tokens', 'Who has it may fetch what edge1 has sent'],
  ],
  options: {
    ...shared.options,
    read: { ...FLAG, describe: 'For isync ls and fetch: it gets the files of the device, and changes none' },
  },
  arguments: [{ name: 'device', kind: 'word', describe: 'Name of the device' }],
  load: async () => (await import('../run-token.ts')).runAdd,
};

const list: Command = {
  ...shared,
  name: 'list',
  summary: 'List the devices that have a token, and which of them reads',
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
    ['$0 token list --tokens /etc/isync/tokens', 'Who may send, and who reads'],
    ['$0 token revoke edge1 --tokens /etc/isync/tokens', 'Let edge1 in no more'],
  ],
  members: [add, list, revoke],
};
