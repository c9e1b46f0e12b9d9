import { optionName } from '../../config/names.ts';
import type { CommandSettings } from '../../config/sources.ts';
import { below, isGroup, type Command, type CommandGroup } from '../command.ts';
import type { HeapPlan } from '../heap-growth.ts';
import { backup } from './backup.ts';
import { doctor } from './doctor.ts';
import { expire } from './expire.ts';
import { fetch, ls } from './fetch.ts';
import { init } from './init.ts';
import { mirror } from './mirror.ts';
import { pull } from './pull.ts';
import { receive } from './receive.ts';
import { scan } from './scan.ts';
import { status } from './status.ts';
import { token } from './token.ts';
import { verify } from './verify.ts';
import { webhook } from './webhook.ts';

/** Every command, in the order of the help. */
export const COMMANDS: readonly (Command | CommandGroup)[] = [
  scan,
  receive,
  verify,
  expire,
  ls,
  fetch,
  token,
  pull,
  webhook,
  mirror,
  backup,
  doctor,
  init,
  status,
];

/** The sections of a config file. A group whose commands have those of others has none of its own. */
export const SECTIONS: readonly string[] = COMMANDS.filter(
  (entry) => !isGroup(entry) || entry.members.some(({ section }) => section === undefined),
).map(({ name }) => name);

/** Returns what runs under a name: the command itself, and all that stand below it. */
export function commandsOf(entry: Command | CommandGroup): readonly Command[] {
  return [...(isGroup(entry) ? [] : [entry]), ...below(entry).flatMap(commandsOf)];
}

/** Returns the entry that `args` lead to, by the names among them: `token` and `add` lead to `isync token add`. */
export function entryAt(args: readonly string[]): Command | CommandGroup | undefined {
  let found: Command | CommandGroup | undefined;
  for (const arg of args)
    found = (found === undefined ? COMMANDS : below(found)).find(({ name }) => name === arg) ?? found;
  return found;
}

/**
 * Returns the heap plan of the command that `args` seem to ask for: the first one named in them, or what is named below it. Help and a
 * wrong command line get that of a sender. The command line itself is not read here, because what reads it is larger than all the commands.
 */
export function heapPlanFor(args: readonly string[]): HeapPlan {
  const entry = entryAt(args);
  return (entry && commandsOf(entry)[0]?.heapPlan) ?? 'sender';
}

/** Returns what src/config needs to read the settings of a command; `section` is its own name or that of its group, unless it has that of another. */
export function settingsOf(command: Command, section: string): CommandSettings {
  return {
    section: command.section ?? section,
    ownFile: command.ownFile,
    sections: SECTIONS,
    places: placesOf(command),
    secrets: command.secrets ?? [],
    byOption: command.byOption,
    variables: command.variables,
    names: [...new Set(COMMANDS.flatMap(commandsOf).flatMap(namesOf))],
  };
}

function placesOf({ arguments: all }: Command): string[] {
  return all.filter(({ kind }) => kind === 'setting').map(({ name }) => name);
}

function namesOf(command: Command): string[] {
  const { options, secrets = [], variables = {} } = command;
  const renamed = new Set(Object.keys(variables).map(optionName));
  return [...Object.keys(options), ...placesOf(command), ...secrets.map(optionName)].filter(
    (name) => !renamed.has(name),
  );
}
