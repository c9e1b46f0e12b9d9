import { parseBoolean } from '../config/values.ts';
import { IsyncError } from '../model/isync-error.ts';
import { COMMANDS, commandsOf, entryAt } from './commands/list.ts';
import { LEVEL_LETTERS } from './commands/options.ts';

const OPTIONS = COMMANDS.flatMap(commandsOf).flatMap(({ options }) => Object.entries(options));
/** Those of yargs itself are among them. */
const BOOLEAN = new Set([
  'help',
  'h',
  'version',
  ...Object.keys(LEVEL_LETTERS),
  ...OPTIONS.filter(([, { type }]) => type === 'boolean').map(([name]) => name),
]);
/** What takes a value: options, and arguments, which yargs takes by their names as well. */
const WITH_VALUE = new Set([
  ...OPTIONS.filter(([, { type }]) => type !== 'boolean').map(([name]) => name),
  ...COMMANDS.flatMap(commandsOf)
    .flatMap((command) => command.arguments.map(({ name }) => name))
    .filter((name) => !BOOLEAN.has(name)),
]);

/**
 * Returns `args` with every boolean option as `--NAME` or `--no-NAME`. yargs itself takes each value but "true" for off, so
 * that `--immutable=yes` would let files be replaced; and it takes `--no-device` for the device "false".
 * @throws IsyncError USAGE without a hint where the value is none, or where an option that takes a value is negated
 */
export function plainBooleans(args: readonly string[]): string[] {
  const end = args.indexOf('--');
  const options = end === -1 ? args : args.slice(0, end);
  const isBoolean = (name: string): boolean =>
    BOOLEAN.has(name) && (!WITH_VALUE.has(name) || isBooleanHere(name, options));
  return [...options.map((arg) => plainBoolean(arg, isBoolean)), ...args.slice(options.length)];
}

/** Of a name that is on or off for one command, and has a value for another: what it is for the command that is named. */
function isBooleanHere(name: string, args: readonly string[]): boolean {
  const entry = entryAt(args);
  const options = entry === undefined ? [] : commandsOf(entry).map(({ options: own }) => own[name]);
  return options.some((option) => option?.type === 'boolean');
}

function plainBoolean(arg: string, isBoolean: (name: string) => boolean): string {
  const negated = /^--no-(.+)$/.exec(arg)?.[1];
  if (negated !== undefined && WITH_VALUE.has(negated) && !isBoolean(negated))
    throw new IsyncError('USAGE', `${arg} is no option: --${negated} takes a value`);
  const [, name = '', value = ''] = /^--?([^=]+)=(.*)$/s.exec(arg) ?? [];
  if (!isBoolean(name)) return arg;
  return isOn(name, value) ? `--${name}` : `--no-${name}`;
}

function isOn(name: string, value: string): boolean {
  try {
    return parseBoolean(value);
  } catch (error) {
    if (!(error instanceof IsyncError)) throw error;
    throw new IsyncError('USAGE', `--${name} ${JSON.stringify(value)} ${error.message}`, { cause: error });
  }
}
