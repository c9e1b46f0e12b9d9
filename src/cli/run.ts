import { IsyncError } from '../model/isync-error.ts';
import type { Invocation } from './command.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { Output } from './output.ts';
import { plainLine } from './plain-line.ts';
import { readVersion } from './version.ts';

/** Runs the command line and ends the process with its exit code. */
export async function run(args: readonly string[]): Promise<never> {
  const output = new Output(args.includes('--json'));
  const crash = (error: unknown): never => process.exit(output.failed(error));
  process.on('uncaughtException', crash);
  process.on('unhandledRejection', crash);
  const code = await execute(args, output);
  await flushed(process.stdout);
  await flushed(process.stderr);
  process.exit(code);
}

async function execute(args: readonly string[], output: Output): Promise<ExitCode> {
  try {
    if (args.length === 1 && args[0] === '--version') {
      output.text(readVersion());
      return EXIT.DONE;
    }
    checkWorkingFolder();
    const invocation = plainLine(args) ?? (await anyLine(args));
    if (invocation === undefined) return EXIT.DONE;
    // Loaded here, because help and completion need nothing of what commands need.
    const run = await invocation.command.load();
    return await run({ ...invocation, output });
  } catch (error) {
    return output.failed(error);
  }
}

/** Loads what reads every command line only for one that is not plain; printing the version needs neither. */
async function anyLine(args: readonly string[]): Promise<Invocation | undefined> {
  const { parseCommandLine } = await import('./command-line.ts');
  return await parseCommandLine(args, readVersion());
}

/** @throws IsyncError USAGE where the working folder was removed: neither paths nor yargs have a place to start from */
function checkWorkingFolder(): void {
  try {
    process.cwd();
  } catch (error) {
    throw new IsyncError('USAGE', 'the folder in which isync was started is not there any more', {
      cause: error,
      hint: 'Change to one that is ("cd /"), and start it again.',
    });
  }
}

/** Resolves when the reader has taken all that was written, or has gone away. */
function flushed(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => {
    if (stream.destroyed) resolve();
    else stream.write('', () => resolve());
  });
}
