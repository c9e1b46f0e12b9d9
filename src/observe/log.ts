import { type DestinationStream, pino, type Logger } from 'pino';
import { IsyncError } from '../model/isync-error.ts';
import type { Log, LogFields, LogSeverity } from '../model/log.ts';
import { journalLine } from './journal.ts';
import { logLine, type ShownTime } from './log-line.ts';
import type { StatusLine } from './status-line.ts';

/** The least severe lines that are written. */
export type LogLevel = LogSeverity | 'silent';

/** A log whose level can change; those that came of it by `with` follow. */
export interface LeveledLog extends Log {
  setLevel(level: LogLevel): void;
}

const GRAVITY: Readonly<Record<LogLevel, number>> = { debug: 0, info: 1, warn: 2, error: 3, silent: 4 };

const STDERR = 2;

/** Lines kept for a stderr that is blocked, in bytes. Above it new lines are dropped. */
const MAX_WAITING_BYTES = 64 * 1024;

/** `json`: an object a line with `level`, `time` (ISO 8601) and `msg`; `text`: for people; `journal`: for journald. */
export type LogFormat = 'json' | 'text' | 'journal';

/**
 * A log on stderr, above the status line where stderr is a terminal. A line is written when its call returns.
 * @param format default: text on a terminal, else JSON
 */
export function createLog(
  level: LogLevel,
  terminal: StatusLine | undefined,
  format: LogFormat = terminal === undefined ? 'json' : 'text',
): LeveledLog {
  // A child of pino keeps the level that it was born with, so the threshold is ours.
  const threshold = { level };
  const options = {
    level: 'debug',
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
    serializers: { err: describeError },
  };
  return Object.assign(logOf(pino(options, destinationOf(terminal, format)), threshold), {
    setLevel: (next: LogLevel) => void (threshold.level = next),
  });
}

function destinationOf(terminal: StatusLine | undefined, format: LogFormat): DestinationStream {
  if (terminal !== undefined) return { write: (line) => terminal.print(formatted(line, format, 'time')) };
  const stderr = openStderr();
  if (format === 'json') return stderr;
  return { write: (line) => void stderr.write(`${formatted(line, format, 'date')}\n`) };
}

function formatted(json: string, format: LogFormat, time: ShownTime): string {
  if (format === 'json') return json.trimEnd();
  return format === 'text' ? logLine(json, time) : journalLine(json);
}

function logOf(logger: Logger, threshold: { readonly level: LogLevel }): Log {
  const line =
    (severity: LogSeverity) =>
    (message: string, fields: LogFields = {}): void => {
      if (GRAVITY[severity] >= GRAVITY[threshold.level]) logger[severity](fields, message);
    };
  return {
    debug: line('debug'),
    info: line('info'),
    warn: line('warn'),
    error: line('error'),
    with: (fields) => logOf(logger.child(fields), threshold),
  };
}

/** A stack finds a fault of isync; of what a person or a link has done wrong the words tell all. */
function describeError(error: unknown): unknown {
  if (!(error instanceof IsyncError) || error.code === 'INTERNAL') {
    return error instanceof Error ? pino.stdSerializers.err(error) : error;
  }
  const { code, message, hint, path } = error;
  return { type: error.name, code, message, path, hint };
}

/** Writes synchronously, so that no line is lost at exit. An error of stderr (a full disk) drops lines and stops nothing. */
function openStderr() {
  const stderr = pino.destination({ dest: STDERR, sync: true, maxLength: MAX_WAITING_BYTES });
  stderr.on('error', () => {});
  return stderr;
}
