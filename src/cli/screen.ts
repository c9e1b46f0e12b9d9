import { leadsToJournal } from '../observe/journal.ts';
import { createLog, type LeveledLog, type LogFormat, type LogLevel } from '../observe/log.ts';
import { logProgress, Progress, type ProgressState } from '../observe/progress.ts';
import { StatusLine } from '../observe/status-line.ts';
import type { Output } from './output.ts';

/** What a command shows on stderr while it works. */
export interface Screen extends Disposable {
  readonly log: LeveledLog;
  /** Whether anybody sees progress: stderr is a terminal. */
  readonly isShown: boolean;
  /** Shows progress until the screen is disposed: on a terminal always, in a log now and then while something moves. */
  showProgress(state: () => ProgressState): void;
}

export interface LogSettings {
  readonly logLevel: LogLevel;
  readonly logFormat: LogFormat | 'auto';
  /** From one line of progress in a log to the next, in ms; 0: none. Default: {@link STATS_MS}. */
  readonly stats?: number;
}

const STATS_MS = 60_000;

const STDERR = 2;

export function openScreen({ logLevel, logFormat, stats = STATS_MS }: LogSettings, output: Output): Screen {
  const statusLine = process.stderr.isTTY ? new StatusLine(process.stderr) : undefined;
  output.statusLine = statusLine;
  const log = createLog(logLevel, statusLine, formatOf(logFormat));
  let progress: Disposable | undefined;
  return {
    log,
    isShown: statusLine !== undefined,
    showProgress(state) {
      if (statusLine !== undefined) progress = new Progress(statusLine, state);
      else if (stats > 0) progress = logProgress(log, state, stats);
    },
    [Symbol.dispose]: () => progress?.[Symbol.dispose](),
  };
}

/** Undefined: as the log itself has it. */
function formatOf(format: LogSettings['logFormat']): LogFormat | undefined {
  if (format !== 'auto') return format;
  return leadsToJournal(STDERR, process.env['JOURNAL_STREAM']) ? 'journal' : undefined;
}
