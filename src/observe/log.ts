import { inspect } from 'node:util';
import { IsyncError } from '../model/isync-error.ts';
import type { Log, LogFields, LogSeverity } from '../model/log.ts';
import { errorRecord } from './error-record.ts';
import { journalLine } from './journal.ts';
import { logLine, type ShownTime } from './log-line.ts';
import type { LogRecord } from './log-record.ts';
import type { StatusLine } from './status-line.ts';
import { writeStderr } from './write-stderr.ts';

/** The least severe lines that are written. */
export type LogLevel = LogSeverity | 'silent';

/** A log whose level can change; those that came of it by `with` follow. */
export interface LeveledLog extends Log {
  setLevel(level: LogLevel): void;
}

const GRAVITY: Readonly<Record<LogLevel, number>> = { debug: 0, info: 1, warn: 2, error: 3, silent: 4 };

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
  const threshold = { level };
  return Object.assign(logOf({}, threshold, writerOf(terminal, format)), {
    setLevel: (next: LogLevel) => void (threshold.level = next),
  });
}

/** Takes a line as JSON. */
type Write = (json: string) => void;

function writerOf(terminal: StatusLine | undefined, format: LogFormat): Write {
  if (terminal !== undefined) return (json) => terminal.print(formatted(json, format, 'time'));
  return (json) => writeStderr(`${formatted(json, format, 'date')}\n`);
}

function formatted(json: string, format: LogFormat, time: ShownTime): string {
  if (format === 'json') return json;
  return format === 'text' ? logLine(json, time) : journalLine(json);
}

/** @param bound fields of each line */
function logOf(bound: LogFields, threshold: { readonly level: LogLevel }, write: Write): Log {
  const line =
    (severity: LogSeverity) =>
    (message: string, fields: LogFields = {}): void => {
      if (GRAVITY[severity] < GRAVITY[threshold.level]) return;
      const record: Record<string, unknown> = {
        level: severity,
        time: new Date().toISOString(),
        ...bound,
        ...fields,
      };
      // In its place: whoever searches a log knows the order of its fields.
      if (record['err'] !== undefined) record['err'] = describeError(record['err']);
      record['msg'] = message;
      write(jsonOf(record));
    };
  return {
    debug: line('debug'),
    info: line('info'),
    warn: line('warn'),
    error: line('error'),
    with: (fields) => logOf({ ...bound, ...fields }, threshold, write),
  };
}

/** Never throws: what JSON can't tell, such as a circle, is told as Node shows it. */
function jsonOf(record: LogRecord): string {
  try {
    return JSON.stringify(record);
  } catch {
    return JSON.stringify(
      Object.fromEntries(Object.entries(record).map(([name, value]) => [name, plain(value)])),
    );
  }
}

function plain(value: unknown): unknown {
  return typeof value === 'string' ? value : inspect(value);
}

/** A stack finds a fault of isync; of what a person or a link has done wrong the words tell all. */
function describeError(error: unknown): unknown {
  if (!(error instanceof IsyncError) || error.code === 'INTERNAL')
    return error instanceof Error ? errorRecord(error) : error;
  const { code, message, hint, path } = error;
  return { type: error.name, code, message, path, hint };
}
