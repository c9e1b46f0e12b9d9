import type { Command, OptionTable } from '../command.ts';
import { COMMON_OPTIONS, FLAG, TEXT } from './options.ts';

const OPTIONS = {
  role: {
    ...TEXT,
    choices: ['device', 'server'],
    describe: 'What this machine is to be; asked for unless given',
  },
  where: { ...TEXT, describe: 'Folder of the data directories, or of the store; asked for unless given' },
  name: {
    ...TEXT,
    describe: 'Name of the device, or the host under which devices reach the server; asked for unless given',
  },
  join: { ...TEXT, describe: 'On a device: the line that init has printed on the server' },
  for: { ...TEXT, describe: 'On a server: the device that the line is for', defaultDescription: 'edge1' },
  port: {
    ...TEXT,
    describe: 'On a server: where it listens',
    defaultDescription: 'that of receive.yaml, else 7400',
  },
  settings: {
    ...TEXT,
    describe: 'Folder for settings, token and certificates',
    defaultDescription: '/etc/isync; ~/.config/isync unless root',
  },
  user: { ...TEXT, describe: 'On a server: user of its service, made by root', defaultDescription: 'isync' },
  unit: { ...FLAG, describe: 'Write a unit of systemd as well' },
  ...COMMON_OPTIONS,
} as const satisfies OptionTable;

export const init: Command = {
  name: 'init',
  summary: 'Make what a device or a server needs: folders, token, certificate, settings',
  usage: "$0 init [options]\n$0 init --join 'LINE' [options]",
  examples: [
    ['$0 init', 'Asks three questions'],
    ['$0 init --role server --where /srv/isync --name backup.example --unit', 'Prints the line for a device'],
    ["$0 init --join 'wss://backup.example:7400#TOKEN#FINGERPRINT' --where /datas --unit", 'On the device'],
  ],
  arguments: [],
  options: OPTIONS,
  hasUnits: false,
  heapPlan: 'sender',
  load: async () => (await import('../run-init.ts')).runInit,
};
