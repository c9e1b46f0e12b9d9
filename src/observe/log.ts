import { pino } from 'pino';
import { logLine } from './log-line.ts';
import type { StatusLine } from './status-line.ts';

type LogFields = Readonly<Record<string, unknown>>;

/** Lines of log. Never throws, and what it was given is written when it returns. An error is the field `err`. */
export interface Log {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
}

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent';

const STDERR = 2;

/**
 * A log on stderr: lines of text above the status line where stderr is a terminal, else one line of JSON each,
 * with `level`, `time` (ISO 8601) and `msg`.
 */
export function createLog(level: LogLevel, terminal: StatusLine | undefined): Log {
  const options = {
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
  };
  // Synchronous, so that an exit loses nothing.
  const destination =
    terminal === undefined
      ? pino.destination({ dest: STDERR, sync: true })
      : { write: (line: string) => terminal.print(logLine(line)) };
  const logger = pino(options, destination);
  return {
    debug: (message, fields = {}) => logger.debug(fields, message),
    info: (message, fields = {}) => logger.info(fields, message),
    warn: (message, fields = {}) => logger.warn(fields, message),
    error: (message, fields = {}) => logger.error(fields, message),
  };
}
