import type { Options } from 'yargs';
import {
  below,
  isGroup,
  type Argument,
  type Command,
  type CommandGroup,
  type OptionTable,
} from '../src/cli/command.ts';
import { COMMANDS, commandsOf } from '../src/cli/commands/list.ts';
import { LEVEL_LETTERS, UNIT_HELP } from '../src/cli/commands/options.ts';
import { EXIT_CODE_HELP } from '../src/cli/exit-codes.ts';
import { readVersion } from '../src/cli/version.ts';
import { bold, item, italic, literal, plain, quoted, section, subsection } from './roff.ts';

/** Where the pages lie in the package. */
export const MAN_FOLDER = 'dist/man';

const SUMMARY = 'Moves finished files from where they are made to where they are kept';

/** Returns the man pages of all commands by the name of their file: one for isync, and one for each command or group. */
export function manPages(): Map<string, string> {
  const pages = new Map([['isync.1', overview()]]);
  for (const entry of COMMANDS) pages.set(`isync-${entry.name}.1`, pageOf(entry));
  return pages;
}

function overview(): string {
  return page('isync', SUMMARY, [
    ...section('Synopsis', [`${bold('isync')} ${italic('COMMAND')} [${italic('options')}]`]),
    ...section('Description', [
      plain(
        'isync scan looks after a folder of data directories and sends each finished file to isync receive, to a bucket or to a folder. ' +
          'A file is marked (its group-write bit) once it is durable there, and finished.watch is written into a directory when all of it is. ' +
          'The other commands stand around that.',
      ),
    ]),
    ...section(
      'Commands',
      COMMANDS.flatMap(({ name, summary }) => item(`${bold(`isync-${name}`)}(1)`, `${summary}.`)),
    ),
    ...section('Settings', [
      plain(
        'Each option of a command can stand in the environment (--token-file as ISYNC_TOKEN_FILE) and in a YAML file that --config ' +
          'names, in a section with the name of the command. The command line goes before the environment, and that before the file.',
      ),
      '.PP',
      plain(UNIT_HELP),
    ]),
    ...exitStatus(),
    ...seeAlso(COMMANDS.map(({ name }) => name)),
  ]);
}

function pageOf(entry: Command | CommandGroup): string {
  const all = entriesOf(entry, []).filter((each) => !isGroup(each.entry));
  const commands = commandsOf(entry);
  const [first] = commands;
  const isOne = commands.length === 1 && first !== undefined;
  const shared = isOne ? new Set<string>() : sharedOptions(commands);
  return page(`isync-${entry.name}`, entry.summary, [
    ...section('Synopsis', synopsisOf(entry)),
    ...section('Description', descriptionOf(entry)),
    ...(isOne
      ? bodyOf(first, shared, (title, lines) => section(title, lines))
      : [
          ...section(
            'Commands',
            all.flatMap(({ entry: command, words }) => [
              ...subsection(`isync ${words.join(' ')}`, [plain(`${command.summary}.`)]),
              ...(isGroup(command) ? [] : bodyOf(command, shared, (title, lines) => named(title, lines))),
            ]),
          ),
          ...section(
            'Options of all of them',
            commands[0] === undefined ? [] : optionsOf(commands[0].options, (name) => shared.has(name)),
          ),
        ]),
    ...section('Examples', examplesOf(entry)),
    ...(commands.some(({ hasUnits }) => hasUnits) ? section('Units', [plain(UNIT_HELP)]) : []),
    ...exitStatus(),
    ...seeAlso(COMMANDS.map(({ name }) => name).filter((name) => name !== entry.name)),
  ]);
}

interface Entry {
  readonly entry: Command | CommandGroup;
  /** As on the command line. */
  readonly words: readonly string[];
}

/** An entry, and all below it. */
function entriesOf(entry: Command | CommandGroup, above: readonly string[]): Entry[] {
  const words = [...above, entry.name];
  return [{ entry, words }, ...below(entry).flatMap((each) => entriesOf(each, words))];
}

function named(title: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : ['.PP', italic(title), ...lines];
}

type Titled = (title: string, lines: readonly string[]) => string[];

function bodyOf(command: Command, shared: ReadonlySet<string>, titled: Titled): string[] {
  return [
    ...titled('Arguments', command.arguments.flatMap(argumentOf)),
    ...titled(
      'Options',
      optionsOf(command.options, (name) => !shared.has(name)),
    ),
  ];
}

function argumentOf({ name, describe }: Argument): string[] {
  return item(italic(name.toUpperCase()), `${describe}.`);
}

/** Names of options that each command has, in the same words. */
function sharedOptions(commands: readonly Command[]): Set<string> {
  const [first, ...others] = commands;
  const names = Object.entries(first?.options ?? {}).filter(([name, { describe }]) =>
    others.every(({ options }) => options[name] !== undefined && options[name].describe === describe),
  );
  return new Set(names.map(([name]) => name));
}

/** The options that `isMeant` takes, by their groups. */
function optionsOf(table: OptionTable, isMeant: (name: string) => boolean): string[] {
  const meant = Object.entries(table).filter(([name]) => isMeant(name));
  const groups = Map.groupBy(meant, ([, { group = '' }]) => group);
  return [...groups].flatMap(([group, options]) => [
    ...(group === '' ? [] : ['.PP', plain(group)]),
    ...options.flatMap(([name, option]) => [
      ...optionItem(`--${name}`, option),
      ...(name === 'log-level'
        ? Object.entries(LEVEL_LETTERS).flatMap(([letter, each]) => optionItem(`-${letter}`, each))
        : []),
    ]),
  ]);
}

function optionItem(name: string, option: Options): string[] {
  const { describe = '', defaultDescription, choices, type } = option;
  const value = type === 'boolean' ? '' : ` ${italic(choices === undefined ? 'VALUE' : choices.join('|'))}`;
  const usual = defaultDescription === undefined ? '' : ` Default: ${defaultDescription}.`;
  return item(`${bold(name)}${value}`, `${describe}.${usual}`);
}

function synopsisOf({ usage }: Pick<Command, 'usage'>): string[] {
  const [lines = ''] = usage.split('\n\n');
  return lines.split('\n').flatMap((line, index) => [...(index === 0 ? [] : ['.br']), plain(asTyped(line))]);
}

/** What stands in the usage behind the lines of the synopsis. */
function descriptionOf({ usage, summary }: Pick<Command, 'usage' | 'summary'>): string[] {
  const [, ...paragraphs] = usage.split('\n\n');
  return [plain(`${summary}.`), ...paragraphs.flatMap((text) => ['.PP', plain(asTyped(text))])];
}

function examplesOf(entry: Command | CommandGroup): string[] {
  const examples = entriesOf(entry, []).flatMap((each) => each.entry.examples);
  // A command below another may have the example of that once more.
  return [...new Map(examples.toReversed())]
    .toReversed()
    .flatMap(([line, meaning]) => [
      ...(meaning === '' ? [] : ['.PP', `${plain(meaning)}:`]),
      ...literal([asTyped(line)]),
    ]);
}

function asTyped(line: string): string {
  return line.replaceAll('$0', 'isync');
}

function exitStatus(): string[] {
  const codes = [...EXIT_CODE_HELP.matchAll(/^ +(\d+) +(.*)$/gm)];
  return section(
    'Exit status',
    codes.flatMap(([, code = '', meaning = '']) => item(bold(code), meaning)),
  );
}

function seeAlso(names: readonly string[]): string[] {
  const others = names.map((name) => `isync-${name}`);
  return section('See also', [...others.map((name) => `${bold(name)}(1),`), `${bold('isync')}(1)`]);
}

/** A page of section 1: man-pages(7), groff_man(7). Without a date, so that the same commands make the same page. */
function page(name: string, summary: string, lines: readonly string[]): string {
  const title = `.TH ${quoted(name.toUpperCase())} 1 "" ${quoted(`isync ${readVersion()}`)} "isync"`;
  const head = [title, ...section('Name', [`${plain(name)} \\- ${plain(summary)}`])];
  return `${[...head, ...lines].join('\n')}\n`;
}
