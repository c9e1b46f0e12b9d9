import type { Argv, CommandModule } from 'yargs';
import type { Found } from './invocation.ts';
import { COMMON_OPTIONS, TEXT, type OptionTable } from './options.ts';

export const TOKEN_OPTIONS = {
  tokens: { ...TEXT, describe: 'File that keeps the tokens, hashed [required]' },
  ...COMMON_OPTIONS,
} as const satisfies OptionTable;

export const TOKEN_ACTIONS = ['add', 'list', 'revoke'];

export function tokenCommand(found: Found): CommandModule {
  return {
    command: 'token',
    describe: 'Manage the tokens that a receiver accepts',
    builder: (yargs) =>
      yargs
        .usage('$0 token add|revoke DEVICE --tokens FILE\n$0 token list --tokens FILE')
        .command(changeCommand('add', 'Make a token for a device and print it, this once', found))
        .command(listCommand(found))
        .command(changeCommand('revoke', 'Take the tokens of a device back', found))
        .demandCommand(1, 'token needs one of add, list and revoke')
        .example('$0 token add edge1 --tokens /etc/isync/tokens', 'Let edge1 in')
        .example('$0 token list --tokens /etc/isync/tokens', 'Who may send')
        .example('$0 token revoke edge1 --tokens /etc/isync/tokens', 'Let edge1 in no more'),
    handler: () => undefined,
  };
}

const DEVICE_HELP = {
  add: 'Name of the device',
  revoke: 'Name of the device, or the id of one of its tokens',
};

function changeCommand(
  action: 'add' | 'revoke',
  describe: string,
  found: Found,
): CommandModule<object, { device: string }> {
  return {
    command: `${action} <device>`,
    describe,
    builder: (yargs) =>
      yargs
        .usage(`$0 token ${action} DEVICE --tokens FILE`)
        .positional('device', { type: 'string', demandOption: true, describe: DEVICE_HELP[action] })
        .options(TOKEN_OPTIONS)
        .example(`$0 token ${action} edge1 --tokens /etc/isync/tokens`, ''),
    handler: ({ device, ...flags }) => found({ command: 'token', action, device, flags }),
  };
}

function listCommand(found: Found): CommandModule {
  return {
    command: 'list',
    describe: 'List the devices that have a token',
    builder: (yargs: Argv) =>
      yargs
        .usage('$0 token list --tokens FILE')
        .options(TOKEN_OPTIONS)
        .example('$0 token list --tokens /etc/isync/tokens', ''),
    handler: (flags) => found({ command: 'token', action: 'list', flags }),
  };
}
