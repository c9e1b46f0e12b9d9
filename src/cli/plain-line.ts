import type { Command, Invocation } from './command.ts';
import { below, isGroup } from './command.ts';
import { COMMANDS, settingsOf } from './commands/list.ts';
import { LEVEL_LETTERS } from './commands/options.ts';
import { withLevel } from './with-level.ts';

/** What yargs takes for something else than the text that it is: an option, a boolean, a call for help, quotes around a text. */
const ODD_VALUE = /^(?:-|["'`]|(?:true|false|help)$|$)/;

type Flags = Record<string, string | string[] | boolean>;

/**
 * Returns what a command line asks for that is as plain as most are: a command with its settings, each option once, with `--name value`,
 * `--name=value`, `--name` or `--no-name`. Undefined for every other one, also for a wrong one: yargs reads those, and says what is
 * wrong. To load and set up yargs takes a fifth of a start.
 * @throws IsyncError USAGE where more than one level of the log is given
 */
export function plainLine([name, ...words]: readonly string[]): Invocation | undefined {
  const command = plainCommand(name);
  if (command === undefined) return undefined;
  const places = command.arguments.map((argument) => argument.name);
  const flags: Flags = {};
  const rest = words.values();
  for (const word of rest) {
    const isTaken = word.startsWith('-')
      ? takeOption(command, word, rest, flags)
      : takePlace(places.shift(), word, flags);
    if (!isTaken) return undefined;
  }
  return {
    command,
    settings: settingsOf(command, command.name),
    flags: withLevel(flags),
    words: {},
    list: [],
  };
}

/** One that nothing stands below, and whose arguments are settings. */
function plainCommand(name: string | undefined): Command | undefined {
  const entry = COMMANDS.find((other) => other.name === name);
  if (entry === undefined || isGroup(entry) || below(entry).length > 0) return undefined;
  return entry.arguments.every(({ kind }) => kind === 'setting') ? entry : undefined;
}

function takePlace(place: string | undefined, word: string, flags: Flags): boolean {
  if (place === undefined || ODD_VALUE.test(word)) return false;
  flags[place] = word;
  return true;
}

/** Takes the option `word`, and of `rest` what is its value. */
function takeOption(command: Command, word: string, rest: Iterator<string>, flags: Flags): boolean {
  const letter = word.slice(1);
  if ('log-level' in command.options && Object.hasOwn(LEVEL_LETTERS, letter)) return set(flags, letter, true);
  if (!word.startsWith('--')) return false;
  const equals = word.indexOf('=');
  const name = word.slice(2, equals === -1 ? undefined : equals);
  if (isBoolean(command, name)) return equals === -1 && set(flags, name, true);
  if (name.startsWith('no-') && isBoolean(command, name.slice(3)))
    return equals === -1 && set(flags, name.slice(3), false);
  const option = optionOf(command, name);
  if (option === undefined) return false;
  const value = equals === -1 ? rest.next().value : word.slice(equals + 1);
  if (value === undefined || ODD_VALUE.test(value)) return false;
  if (option.choices?.includes(value) === false) return false;
  if (option.type !== 'array') return set(flags, name, value);
  const before = flags[name];
  flags[name] = Array.isArray(before) ? [...before, value] : [value];
  return true;
}

function optionOf(command: Command, name: string): Command['options'][string] | undefined {
  return Object.hasOwn(command.options, name) ? command.options[name] : undefined;
}

function isBoolean(command: Command, name: string): boolean {
  return optionOf(command, name)?.type === 'boolean';
}

/** False where it is given once more. */
function set(flags: Flags, name: string, value: string | boolean): boolean {
  if (Object.hasOwn(flags, name)) return false;
  flags[name] = value;
  return true;
}
