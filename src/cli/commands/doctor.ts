import type { Command, CommandGroup, Run } from '../command.ts';
import { receive } from './receive.ts';
import { scan } from './scan.ts';

/** A look at what `command` needs, with all of its settings. */
function look(
  command: Command,
  texts: Pick<Command, 'summary' | 'examples'>,
  load: () => Promise<Run>,
): Command {
  const { name, usage, arguments: places, options, secrets, hasUnits } = command;
  return {
    ...texts,
    name,
    section: name,
    usage: usage.replace('$0 ', '$0 doctor '),
    arguments: places,
    options,
    ...(secrets !== undefined && { secrets }),
    hasUnits,
    heapPlan: 'sender',
    load,
  };
}

export const doctor: CommandGroup = {
  name: 'doctor',
  summary: 'Say what a command would lack, and the cure; moves no data',
  usage: '$0 doctor scan ROOT --to TARGET [options of scan]\n$0 doctor receive STORE [options of receive]',
  examples: [
    ['$0 doctor scan /datas --to wss://backup:7400 --token-file /etc/isync/token', 'On the device'],
    ['$0 doctor receive /backup --listen 0.0.0.0:7400 --tokens T --tls-cert C --tls-key K', 'On the server'],
    ['$0 doctor scan --config /etc/isync/isync.yaml --json', 'For programs: exit code 1 when a check fails'],
  ],
  members: [
    look(
      scan,
      {
        summary: 'Look at the root, this machine and the target as "isync scan" would use them',
        examples: [
          ['$0 doctor scan /datas --to wss://backup:7400 --token-file /etc/isync/token', 'Before the first scan'],
          ['$0 doctor scan --config /etc/isync/isync.yaml', 'With the settings of the daemon'],
          ['$0 doctor scan /datas --to s3://bucket/site1 --json', 'For programs: exit code 1 when a check fails'],
        ],
      },
      async () => (await import('../run-doctor.ts')).doctorOfScan,
    ),
    look(
      receive,
      {
        summary: 'Look at store, tokens, certificate and port as "isync receive" would use them',
        examples: [
          ['$0 doctor receive /backup --listen 0.0.0.0:7400 --tokens /etc/isync/tokens --tls-cert C --tls-key K', ''],
          ['$0 doctor receive --config /etc/isync/isync.yaml', 'Also while the receiver runs'],
        ],
      },
      async () => (await import('../run-doctor.ts')).doctorOfReceive,
    ),
  ],
};
