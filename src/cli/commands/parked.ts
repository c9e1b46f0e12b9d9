import type { Command, CommandGroup, OptionTable, Run } from '../command.ts';
import { COMMON_OPTIONS } from './options.ts';

/** What runs the commands below, for the settings of one command. */
export interface ParkedRuns {
  readonly list: Run;
  readonly show: Run;
  readonly replay: Run;
  readonly drop: Run;
}

interface ParkedOptions {
  readonly byOption?: Command['byOption'];
  /** Default: those that each command has. The config file has the others. */
  readonly options?: OptionTable;
}

/** `isync COMMAND parked list|show|replay|drop`. */
export function parkedCommands(
  command: 'pull' | 'webhook',
  load: () => Promise<ParkedRuns>,
  { byOption, options = COMMON_OPTIONS }: ParkedOptions,
): CommandGroup {
  const name = `${command} parked`;
  const config = `/etc/isync/${command}.yaml`;
  /** What they share. */
  const shared = {
    options,
    ownFile: true,
    ...(byOption !== undefined && { byOption }),
    hasUnits: false,
    heapPlan: 'receiver',
  } as const;
  const ids = { name: 'id', kind: 'words', describe: 'Ids of records, or "all"' } as const;
  return {
    name: 'parked',
    summary: 'See, take again or drop the records that could not be worked on',
    usage: `$0 ${name} list --config FILE\n$0 ${name} show ID --config FILE\n$0 ${name} replay|drop ID…|all --config FILE`,
    examples: [
      [`$0 ${name} list --config ${config}`, 'What is parked, and why'],
      [`$0 ${name} replay all --config ${config}`, 'Once the cause is mended'],
      [`$0 ${name} drop 0123456789abcdef --config ${config}`, 'Forget one'],
    ],
    members: [
      {
        ...shared,
        name: 'list',
        summary: 'List the parked records with their reasons',
        usage: `$0 ${name} list --config FILE`,
        examples: [[`$0 ${name} list --config ${config}`, '']],
        arguments: [],
        load: async () => (await load()).list,
      },
      {
        ...shared,
        name: 'show',
        summary: 'Show one record, with its message',
        usage: `$0 ${name} show ID --config FILE`,
        examples: [[`$0 ${name} show 0123456789abcdef --config ${config}`, '']],
        arguments: [{ name: 'id', kind: 'word', describe: 'Id of the record' }],
        load: async () => (await load()).show,
      },
      {
        ...shared,
        name: 'replay',
        summary: `Have the ${command} take records again: the running one, or the next`,
        usage: `$0 ${name} replay ID…|all --config FILE`,
        examples: [[`$0 ${name} replay all --config ${config}`, '']],
        arguments: [ids],
        load: async () => (await load()).replay,
      },
      {
        ...shared,
        name: 'drop',
        summary: 'Forget records for good',
        usage: `$0 ${name} drop ID…|all --config FILE`,
        examples: [[`$0 ${name} drop 0123456789abcdef --config ${config}`, '']],
        arguments: [ids],
        load: async () => (await load()).drop,
      },
    ],
  };
}
