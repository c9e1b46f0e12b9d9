import yargs from 'yargs';
import { closest } from '../config/closest.ts';
import { IsyncError } from '../model/isync-error.ts';
import type { Invocation } from './commands/invocation.ts';
import { UNIT_HELP, type OptionTable } from './commands/options.ts';
import { RECEIVE_OPTIONS, receiveCommand } from './commands/receive.ts';
import { SCAN_OPTIONS, scanCommand } from './commands/scan.ts';
import { TOKEN_ACTIONS, TOKEN_OPTIONS, tokenCommand } from './commands/token.ts';
import { VERIFY_OPTIONS, verifyCommand } from './commands/verify.ts';
import { EXIT_CODE_HELP } from './exit-codes.ts';

/** Widest help in columns; longer lines are hard to read. */
const MAX_HELP_COLUMNS = 110;

export const OPTION_TABLES: Readonly<Record<string, OptionTable>> = {
  scan: SCAN_OPTIONS,
  receive: RECEIVE_OPTIONS,
  token: TOKEN_OPTIONS,
  verify: VERIFY_OPTIONS,
};

const COMMANDS = [...Object.keys(OPTION_TABLES), 'completion'];
/** What else may stand in the place of a command. */
const WORDS = [...COMMANDS, 'help', 'version'];

/**
 * What `args` ask for; undefined when it was help, the version or a completion, which is printed already.
 * @throws IsyncError USAGE
 */
export async function parseCommandLine(
  args: readonly string[],
  version: string,
): Promise<Invocation | undefined> {
  let invocation: Invocation | undefined;
  const found = (asked: Invocation): void => void (invocation = asked);
  await yargs()
    .scriptName('isync')
    .usage('$0 COMMAND [options]\n\nMoves finished files from where they are made to where they are kept.')
    .command(scanCommand(found))
    .command(receiveCommand(found))
    .command(verifyCommand(found))
    .command(tokenCommand(found))
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
    .parseAsync(asFlags(args));
  return invocation;
}

/**
 * `help scan` as `scan --help`, `version` as `--version`.
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
  // With --help yargs does not mind what else is there.
  const unknown = !COMMANDS.includes(command)
    ? command
    : more.find((word, at) => command !== 'token' || at > 0 || !TOKEN_ACTIONS.includes(word));
  if (unknown !== undefined) throw usageError(`Unknown argument: ${unknown}`, args.slice(1));
  return [command, ...more, '--help'];
}

/** A terminal may tell 0, and what is none tells nothing, whatever the types say. */
function helpColumns(): number {
  const { columns } = process.stdout;
  return columns > 0 ? Math.min(columns, MAX_HELP_COLUMNS) : MAX_HELP_COLUMNS;
}

/** What yargs has to say, in one line and with the nearest right word. */
function usageError(message: string, args: readonly string[]): IsyncError {
  const command = args.find((arg) => COMMANDS.includes(arg));
  const help = `"isync ${command === undefined ? '' : `${command} `}--help" tells more.`;
  const unknown = /^Unknown (?:argument|command)s?: (.*)$/s.exec(message)?.[1];
  if (unknown === undefined) return new IsyncError('USAGE', plain(message), { hint: help });
  const words = [...new Set(unknown.split(', '))];
  const hint = words.includes('token') && command !== 'token' && !args.includes('token') ? TOKEN_HINT : help;
  return new IsyncError('USAGE', words.map((word) => describeUnknown(word, command, args)).join('; '), {
    hint,
  });
}

const TOKEN_HINT =
  'An argument shows in ps; put the token into a file for --token-file, or into ISYNC_TOKEN.';

function describeUnknown(word: string, command: string | undefined, args: readonly string[]): string {
  const dashes = word.length === 1 ? '-' : '--';
  const isOption = args.some((arg) => arg === `${dashes}${word}` || arg.startsWith(`${dashes}${word}=`));
  if (isOption) {
    const near = closest(word, Object.keys(OPTION_TABLES[command ?? ''] ?? {}));
    return `unknown option ${dashes}${word}${near === undefined ? '' : `, did you mean --${near}?`}`;
  }
  const atHand = command === undefined ? WORDS : command === 'token' ? TOKEN_ACTIONS : [];
  const near = args.some((arg) => TOKEN_ACTIONS.includes(arg)) ? undefined : closest(word, atHand);
  const what = command === undefined ? 'unknown command' : 'unexpected argument';
  return `${what} "${word}"${near === undefined ? '' : `, did you mean "${near}"?`}`;
}

/** yargs' own messages, which span lines, in one. */
function plain(message: string): string {
  const choice = /Argument: ([\w-]+), Given: (.*), Choices: (.*)$/s.exec(message);
  if (choice !== null) return `--${choice[1] ?? ''} ${choice[2] ?? ''} is none of ${choice[3] ?? ''}`;
  const missing = /^Not enough arguments following: ([\w-]+)/.exec(message);
  if (missing !== null) return `--${missing[1] ?? ''} needs a value`;
  if (message.startsWith('Not enough non-option arguments')) return 'an argument is missing';
  return message.replaceAll(/\s*\n\s*/g, ' ');
}
