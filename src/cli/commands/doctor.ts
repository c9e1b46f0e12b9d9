import type { Command, CommandGroup, Run } from '../command.ts';
import { BACKUP_OPTIONS, EXAMPLE, SHARED } from './backup-options.ts';
import { mirror } from './mirror.ts';
import { pull } from './pull.ts';
import { receive } from './receive.ts';
import { scan } from './scan.ts';
import { verify } from './verify.ts';
import { webhook } from './webhook.ts';

/** What is the same for a look at what `command` needs: it takes all of its settings. */
function look(command: Command, load: () => Promise<Run>): Omit<Command, 'summary' | 'examples' | 'usage'> {
  const { name, section, arguments: places, options, secrets, hasUnits, ownFile, byOption } = command;
  const { variables, notOptions } = command;
  return {
    name,
    section: section ?? name,
    arguments: places,
    options,
    ...(secrets !== undefined && { secrets }),
    ...(ownFile !== undefined && { ownFile }),
    ...(byOption !== undefined && { byOption }),
    ...(variables !== undefined && { variables }),
    ...(notOptions !== undefined && { notOptions }),
    hasUnits,
    heapPlan: 'sender',
    load,
  };
}

const ofScan: Command = {
  ...look(scan, async () => (await import('../run-doctor.ts')).doctorOfScan),
  summary: 'Look at the root, this machine and the target as "isync scan" would use them',
  usage: '$0 doctor scan ROOT --to TARGET [options of scan]',
  examples: [
    ['$0 doctor scan /datas --to wss://backup:7400 --token-file /etc/isync/token', 'Before the first scan'],
    ['$0 doctor scan --config /etc/isync/isync.yaml', 'With the settings of the daemon'],
    ['$0 doctor scan /datas --to s3://bucket/site1 --json', 'For programs: exit code 1 when a check fails'],
  ],
};

const ofReceive: Command = {
  ...look(receive, async () => (await import('../run-doctor.ts')).doctorOfReceive),
  summary: 'Look at store, tokens, certificate and port as "isync receive" would use them',
  usage: '$0 doctor receive STORE [options of receive]',
  examples: [
    [
      '$0 doctor receive /backup --listen 0.0.0.0:7400 --tokens T --tls-cert C --tls-key K',
      'Before the first start',
    ],
    ['$0 doctor receive --config /etc/isync/isync.yaml', 'Also while the receiver runs'],
  ],
};

const ofPull: Command = {
  ...look(pull, async () => (await import('../run-doctor-pull.ts')).doctorOfPull),
  summary: 'Look at queue, rights and folders, as "isync pull --check" does, and at this machine',
  usage: '$0 doctor pull --config FILE [options of pull]',
  examples: [['$0 doctor pull --config /etc/isync/pull.yaml', 'What is lacking?']],
};

const ofBackup: Command = {
  ...SHARED,
  name: 'backup',
  section: 'backup',
  summary: 'Look at the stores of all jobs, as "isync backup check" does, and at this machine',
  usage: '$0 doctor backup --config FILE [options]',
  examples: [[`$0 doctor backup ${EXAMPLE}`, 'What is lacking?']],
  arguments: [],
  options: BACKUP_OPTIONS,
  load: async () => (await import('../run-doctor-backup.ts')).doctorOfBackup,
};

const ofVerify: Command = {
  ...look(verify, async () => (await import('../run-doctor.ts')).doctorOfVerify),
  summary: 'Look at the root and the target as "isync verify" would read them',
  usage: '$0 doctor verify ROOT --to TARGET [options of verify]',
  examples: [
    [
      '$0 doctor verify /datas --to wss://backup:7400 --token-file /etc/isync/token',
      'Before hours of reading',
    ],
  ],
};

const ofWebhook: Command = {
  ...look(webhook, async () => (await import('../run-doctor-webhook.ts')).doctorOfWebhook),
  summary: 'Look at port, certificate, queue, state and action as "isync webhook" would use them',
  usage: '$0 doctor webhook --script FILE|--to s3://BUCKET[/PREFIX]|--forward URL [options of webhook]',
  examples: [
    ['$0 doctor webhook --config /etc/isync/webhook.yaml', 'Also while the webhook runs'],
    ['$0 doctor webhook --port 8080 --script ./on-event --token-file T', 'Before the first start'],
  ],
};

const ofMirror: Command = {
  ...look(mirror, async () => (await import('../run-doctor-mirror.ts')).doctorOfMirror),
  summary: 'Look at port, spool, bucket and origins as "isync mirror" would use them',
  usage: '$0 doctor mirror --config FILE [options of mirror]',
  examples: [
    ['$0 doctor mirror --config /etc/isync/mirror.yaml', 'Also while the mirror runs'],
    ['$0 doctor mirror --bucket s3://new --external-endpoint https://old.example', 'Without a file'],
  ],
};

export const doctor: CommandGroup = {
  name: 'doctor',
  summary: 'Say what a command would lack, and the cure; moves no data',
  usage: '$0 doctor scan|receive|verify|pull|webhook|mirror|backup [arguments and options of that command]',
  examples: [
    ['$0 doctor scan /datas --to wss://backup:7400 --token-file /etc/isync/token', 'On the device'],
    ['$0 doctor receive /backup --listen 0.0.0.0:7400 --tokens T --tls-cert C --tls-key K', 'On the server'],
    ['$0 doctor scan --config /etc/isync/isync.yaml --json', 'For programs: exit code 1 when a check fails'],
  ],
  members: [ofScan, ofReceive, ofVerify, ofPull, ofWebhook, ofMirror, ofBackup],
};
