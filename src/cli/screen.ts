import type { Log } from '../model/log.ts';
import { leadsToJournal } from '../observe/journal.ts';
import { createLog, type LogFormat, type LogLevel } from '../observe/log.ts';
import { Progress, type ProgressState } from '../observe/progress.ts';
import { StatusLine } from '../observe/status-line.ts';
import type { Output } from './output.ts';

/** What a command shows on stderr while it works. */
export interface Screen extends Disposable {
  readonly log: Log;
  /** Whether anybody sees progress: stderr is a terminal. */
  readonly isShown: boolean;
  /** Shows progress until the screen is disposed; does nothing where stderr is no terminal. */
  showProgress(state: () => ProgressState): void;
}

export interface LogSettings {
  readonly logLevel: LogLevel;
  readonly logFormat: LogFormat | 'auto';
}

const STDERR = 2;

export function openScreen({ logLevel, logFormat }: LogSettings, output: Output): Screen {
  const statusLine = process.stderr.isTTY ? new StatusLine(process.stderr) : undefined;
  output.statusLine = statusLine;
  let progress: Progress | undefined;
  return {
    log: createLog(logLevel, statusLine, formatOf(logFormat)),
    isShown: statusLine !== undefined,
    showProgress(state) {
      if (statusLine !== undefined) progress = new Progress(statusLine, state);
    },
    [Symbol.dispose]: () => progress?.[Symbol.dispose](),
  };
}

/** Undefined: as the log itself has it. */
function formatOf(format: LogSettings['logFormat']): LogFormat | undefined {
  if (format !== 'auto') return format;
  return leadsToJournal(STDERR, process.env['JOURNAL_STREAM']) ? 'journal' : undefined;
}
