import yargs, { type Argv, type CommandModule } from 'yargs';
import { closest } from '../config/closest.ts';
import { environmentName } from '../config/names.ts';
import { IsyncError, toIsyncError } from '../model/isync-error.ts';
import { plainBooleans } from './boolean-options.ts';
import {
  below,
  isGroup,
  type Argument,
  type Command,
  type CommandGroup,
  type Invocation,
} from './command.ts';
import { COMMANDS, commandsOf, entryAt, settingsOf } from './commands/list.ts';
import { LEVEL_LETTERS, UNIT_HELP } from './commands/options.ts';
import { EXIT_CODE_HELP } from './exit-codes.ts';
import { withLevel } from './with-level.ts';

/** Widest help in columns; longer lines are hard to read. */
const MAX_HELP_COLUMNS = 110;

const NAMES = [...COMMANDS.map(({ name }) => name), 'completion'];
/** What else may stand in the place of a command. */
const WORDS = [...NAMES, 'help', 'version'];
/** With this option the script of `isync completion` asks yargs for completions. */
const COMPLETING = '--get-yargs-completions';
const SECRETS = new Set(COMMANDS.flatMap(commandsOf).flatMap(({ secrets = [] }) => secrets));

interface Asked {
  /** Takes what was asked for, once the command line is known to be well-formed. */
  readonly found: (invocation: Invocation) => void;
  /**
   * Whether options and examples are printed. yargs lays out the help of each command that it runs, and measures every
   * character of it: a fifth of what a start costs, so that it gets them only where somebody reads them.
   */
  readonly isShown: boolean;
}

/**
 * Returns what `args` ask for; undefined when it was help, the version or a completion, which is printed already.
 * @throws IsyncError USAGE
 */
export async function parseCommandLine(
  args: readonly string[],
  version: string,
): Promise<Invocation | undefined> {
  let invocation: Invocation | undefined;
  const line = asFlags(withPlainBooleans(args));
  const asked: Asked = { found: (what) => void (invocation = what), isShown: line.some(isShowing) };
  const parser = yargs()
    .scriptName('isync')
    .usage('$0 COMMAND [options]\n\nMoves finished files from where they are made to where they are kept.');
  for (const entry of COMMANDS) parser.command(entryModule(entry, entry.name, asked));
  await parser
    .completion('completion', 'Print a script that completes commands and options in the shell')
    .example('$0 receive /backup', 'On the server: keep files in /backup')
    .example('$0 scan /datas --to ws://backup:7400', 'On the device: send what is finished')
    .example('$0 completion >> ~/.bashrc', 'Complete with the tab key from the next shell on')
    .epilogue(
      `${EXIT_CODE_HELP}\n\n${UNIT_HELP}\n\nOptions can also stand in the environment (ISYNC_TO) or in a file (--config).`,
    )
    .demandCommand(1, 'give a command')
    .parserConfiguration({
      'camel-case-expansion': false,
      'dot-notation': false,
      'greedy-arrays': false,
      'parse-numbers': false,
      'parse-positional-numbers': false,
      'short-option-groups': false,
    })
    .strict()
    .help()
    .alias('help', 'h')
    .version(version)
    .locale('en')
    .wrap(helpColumns())
    .exitProcess(false)
    .fail((message: string | null, error: Error | undefined) => {
      throw usageError(message ?? error?.message ?? '', args);
    })
    .parseAsync(line);
  return invocation;
}

/** Whether an argument makes yargs print help or completions. */
function isShowing(arg: string): boolean {
  return /^--?(?:h|help)$/.test(arg) || arg === COMPLETING;
}

/** @throws IsyncError USAGE */
function withPlainBooleans(args: readonly string[]): readonly string[] {
  // What is being completed may be half a value.
  if (args.includes(COMPLETING)) return args;
  try {
    return plainBooleans(args);
  } catch (error) {
    throw usageError(toIsyncError(error, 'USAGE').message, args);
  }
}

function entryModule(entry: Command | CommandGroup, section: string, asked: Asked): CommandModule {
  return isGroup(entry) ? groupModule(entry, section, asked) : commandModule(entry, section, asked);
}

function groupModule(group: CommandGroup, section: string, asked: Asked): CommandModule {
  const { name, summary, usage, examples, members } = group;
  return {
    command: name,
    describe: summary,
    builder(yargs) {
      yargs.usage(usage).demandCommand(1, `${name} needs one of ${inWords(namesBelow(group))}`);
      for (const member of members) yargs.command(commandModule(member, section, asked));
      return withExamples(yargs, asked.isShown ? examples : []);
    },
    handler: () => undefined,
  };
}

function commandModule(command: Command, section: string, asked: Asked): CommandModule {
  const { name, summary, usage, examples, arguments: all, options, hasUnits } = command;
  return {
    command: [name, ...all.map(placeOf)].join(' '),
    describe: summary,
    builder(yargs) {
      yargs.usage(usage);
      for (const { name, kind, describe } of all)
        yargs.positional(name, { type: 'string', demandOption: !isOptional(kind), describe });
      // Those of a command are not those of the commands below it.
      for (const [name, option] of Object.entries(options))
        yargs.option(name, { ...option, global: false, hidden: !asked.isShown });
      if ('log-level' in options)
        for (const [letter, { level: _, ...option }] of Object.entries(LEVEL_LETTERS))
          yargs.option(letter, { ...option, global: false, hidden: !asked.isShown });
      for (const entry of below(command)) yargs.command(entryModule(entry, section, asked));
      if (hasUnits) yargs.epilogue(UNIT_HELP);
      return withExamples(yargs, asked.isShown ? examples : []);
    },
    handler(flags) {
      const words = all
        .filter(({ name, kind }) => kind === 'word' || (kind === 'optional' && flags[name] !== undefined))
        .map(({ name }) => [name, String(flags[name])]);
      const list = all
        .filter(({ kind }) => kind === 'words' || kind === 'any')
        .flatMap(({ name }) => textsOf(flags[name]));
      asked.found({
        command,
        settings: settingsOf(command, section),
        flags: withLevel(flags),
        words: Object.fromEntries(words),
        list,
      });
    },
  };
}

/** A setting that is missing on the command line may come from elsewhere: src/config looks for it. */
function placeOf({ name, kind }: Argument): string {
  if (kind === 'any') return `[${name}..]`;
  if (isOptional(kind)) return `[${name}]`;
  return kind === 'word' ? `<${name}>` : `<${name}..>`;
}

function isOptional(kind: Argument['kind']): boolean {
  return kind === 'setting' || kind === 'optional' || kind === 'any';
}

function textsOf(value: unknown): string[] {
  return Array.isArray(value) ? value.map(String) : [];
}

function withExamples(yargs: Argv, examples: Command['examples']): Argv {
  for (const [line, meaning] of examples) yargs.example(line, meaning);
  return yargs;
}

/** `add, list and revoke` */
function inWords(names: readonly string[]): string {
  return [names.slice(0, -1).join(', '), ...names.slice(-1)].filter((part) => part !== '').join(' and ');
}

/**
 * Turns `help scan` into `scan --help`, and `version` into `--version`.
 * @throws IsyncError USAGE where something else stands beside them
 */
function asFlags(args: readonly string[]): string[] {
  const [word, command, ...more] = args;
  if (word === 'version') {
    if (command === undefined) return ['--version'];
    throw new IsyncError('USAGE', `unexpected argument "${command}"`, { hint: '"isync --help" tells more.' });
  }
  if (word !== 'help') return [...args];
  if (command === undefined) return ['--help'];
  // With --help, yargs accepts any other word.
  const unknown = NAMES.includes(command) ? unknownWord(command, more) : command;
  if (unknown !== undefined) throw usageError(`Unknown argument: ${unknown}`, args.slice(1));
  return [command, ...more, '--help'];
}

/** Returns the first of `words` that leads nowhere from the command or group `name`. */
function unknownWord(name: string, words: readonly string[]): string | undefined {
  return words.find((word, at) => !namesBelow(entryAt([name, ...words.slice(0, at)])).includes(word));
}

/** Returns how wide help may be. A terminal may report 0, and a pipe reports undefined, whatever the types say. */
function helpColumns(): number {
  const { columns } = process.stdout;
  return columns > 0 ? Math.min(columns, MAX_HELP_COLUMNS) : MAX_HELP_COLUMNS;
}

/** Returns what yargs has to say as an error of one line, with the nearest right word. */
function usageError(message: string, args: readonly string[]): IsyncError {
  const command = args.find((arg) => NAMES.includes(arg));
  const help = `"isync ${command === undefined ? '' : `${command} `}--help" tells more.`;
  const unknown = /^Unknown (?:argument|command)s?: (.*)$/s.exec(message)?.[1];
  if (unknown === undefined)
    return new IsyncError('USAGE', missingWord(message, args) ?? plain(message), { hint: help });
  const words = [...new Set(unknown.split(', '))];
  const secret = words.find((word) => SECRETS.has(word) && !args.includes(word));
  const hint = secret === undefined ? help : secretHint(secret);
  return new IsyncError('USAGE', words.map((word) => describeUnknown(word, command, args)).join('; '), {
    hint,
  });
}

function secretHint(name: string): string {
  return `An argument shows in ps; put the ${name} into a file for --${name}-file, or into ${environmentName(name)}.`;
}

/** Returns the names of what stands below an entry. */
function namesBelow(entry: Command | CommandGroup | undefined): string[] {
  return entry === undefined ? [] : below(entry).map(({ name }) => name);
}

/** Returns the options of a command; of a group those of its members. */
function optionsOf(entry: Command | CommandGroup | undefined): string[] {
  if (entry === undefined) return [];
  return (isGroup(entry) ? commandsOf(entry) : [entry]).flatMap(({ options }) => Object.keys(options));
}

function describeUnknown(word: string, command: string | undefined, args: readonly string[]): string {
  const dashes = word.length === 1 ? '-' : '--';
  const isOption = args.some((arg) => arg === `${dashes}${word}` || arg.startsWith(`${dashes}${word}=`));
  if (isOption) {
    const near = closest(word, optionsOf(entryAt(args)));
    return `unknown option ${dashes}${word}${near === undefined ? '' : `, did you mean --${near}?`}`;
  }
  const atHand = command === undefined ? WORDS : namesBelow(entryAt(args));
  const near = closest(word, atHand);
  const what = command === undefined ? 'unknown command' : 'unexpected argument';
  return `${what} "${word}"${near === undefined ? '' : `, did you mean "${near}"?`}`;
}

/** Returns which argument of a command is missing, where yargs says that one is. */
function missingWord(message: string, args: readonly string[]): string | undefined {
  const given = /^Not enough non-option arguments: got (\d+)/.exec(message)?.[1];
  if (given === undefined) return undefined;
  const entry = entryAt(args);
  const words =
    entry === undefined || isGroup(entry) ? [] : entry.arguments.filter(({ kind }) => !isOptional(kind));
  const missing = words[Number(given)]?.name.toUpperCase();
  return `an argument is missing${missing === undefined ? '' : `: ${missing}`}`;
}

/** Puts yargs' own messages, which span lines, into one. */
function plain(message: string): string {
  const choice = /Argument: ([\w-]+), Given: (.*), Choices: (.*)$/s.exec(message);
  if (choice !== null) return `--${choice[1] ?? ''} ${choice[2] ?? ''} is none of ${choice[3] ?? ''}`;
  const missing = /^Not enough arguments following: ([\w-]+)/.exec(message);
  if (missing !== null) return `--${missing[1] ?? ''} needs a value`;
  return message.replaceAll(/\s*\n\s*/g, ' ');
}
