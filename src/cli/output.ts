import { errnoOf, IsyncError, toIsyncError } from '../model/isync-error.ts';
import { printable } from '../observe/printable.ts';
import type { StatusLine } from '../observe/status-line.ts';
import { EXIT, exitCodeOf, type ExitCode } from './exit-codes.ts';

/** Writes what a command tells to stdout, and why it failed to stderr. */
export class Output {
  /** Whether stdout gets one JSON object instead of text; known for sure once the settings are read. */
  json: boolean;
  /** Cleared before text is written, because both share a terminal; Progress draws it again. */
  statusLine: StatusLine | undefined;

  constructor(json: boolean) {
    this.json = json;
    process.stdout.on('error', (error) => {
      if (!isReaderGone(error)) throw outputError(error);
    });
    // A failure to log has no other place to go, and the work itself needs no log.
    process.stderr.on('error', () => {});
  }

  /** Writes a line for people; nothing with `json`. */
  text(line: string): void {
    if (this.json) return;
    this.statusLine?.set('');
    process.stdout.write(`${line}\n`);
  }

  /** Writes an object for programs; nothing without `json`. */
  object(value: object): void {
    if (this.json) process.stdout.write(`${JSON.stringify(value)}\n`);
  }

  /** Resolves when stdout has taken what was written: whoever writes a long list waits, lest all of it is kept in memory. */
  async drained(): Promise<void> {
    const { stdout } = process;
    if (!stdout.writableNeedDrain) return;
    await new Promise<void>((resolve) => {
      const done = (): void => {
        // A reader that has gone away takes no more.
        for (const event of ['drain', 'error', 'close']) stdout.off(event, done);
        resolve();
      };
      for (const event of ['drain', 'error', 'close']) stdout.once(event, done);
    });
  }

  /** Ends a command's output with its summary, for programs. Returns what to exit with. */
  done(summary: object, exitCode: ExitCode = EXIT.DONE): ExitCode {
    this.object({ ...summary, exitCode });
    return exitCode;
  }

  /**
   * Says on stderr why the command failed, and with `json` on stdout too, together with what was done until then.
   * Returns what to exit with: what the code says, or `exit`.
   */
  failed(thrown: unknown, done: object = {}, exit?: ExitCode): ExitCode {
    const error = this.complain(thrown);
    const exitCode = exit ?? exitCodeOf(error.code);
    this.object({ ...done, exitCode, error: shownError(error) });
    return exitCode;
  }

  /** Says on stderr what failed of several things; `about` names which of them. Returns it as what it is known by. */
  complain(thrown: unknown, about?: string): IsyncError {
    this.statusLine?.set('');
    const error = toIsyncError(thrown, 'INTERNAL');
    // A stack is no answer to a user's mistake; a fault of isync can't be found without it.
    if (error !== thrown && thrown instanceof Error)
      process.stderr.write(`${thrown.stack ?? thrown.message}\n`);
    process.stderr.write(errorText(error, about));
    return error;
  }
}

/** An error as programs are told of it. */
export function shownError({ code, message, hint, path }: IsyncError): object {
  return { code, message, hint, path };
}

/** Whether stdout's reader went away ("| head", a closed terminal), which is no fault; any other failure of stdout is. */
function isReaderGone(error: unknown): boolean {
  const errno = errnoOf(error);
  return errno === 'EPIPE' || (errno === 'EIO' && process.stdout.isTTY);
}

function outputError(error: Error): IsyncError {
  return new IsyncError('OUTPUT_FAILED', `stdout can't be written to: ${error.message}`, {
    cause: error,
  });
}

/** Returns `isync: MESSAGE [CODE] PATH`, with the hint below; `about` stands before the message. */
export function errorText({ code, message, path, hint }: IsyncError, about?: string): string {
  const lines = message.split('\n').map(printable);
  const where = path === undefined || message.includes(path) ? '' : ` ${printable(path)}`;
  const first = `isync: ${about === undefined ? '' : `${printable(about)}: `}${lines[0] ?? ''} [${code}]${where}`;
  return [first, ...lines.slice(1), ...(hint === undefined ? [] : [`  ${printable(hint)}`]), ''].join('\n');
}
