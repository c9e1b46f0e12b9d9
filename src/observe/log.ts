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

/** Lines that wait for a stderr that takes none, in bytes: newer ones are left out. */
const MAX_WAITING_BYTES = 64 * 1024;

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
  const destination =
    terminal === undefined ? openStderr() : { write: (line: string) => terminal.print(logLine(line)) };
  const logger = pino(options, destination);
  return {
    debug: (message, fields = {}) => logger.debug(fields, message),
    info: (message, fields = {}) => logger.info(fields, message),
    warn: (message, fields = {}) => logger.warn(fields, message),
    error: (message, fields = {}) => logger.error(fields, message),
  };
}

/** Synchronous, so that an exit loses nothing. A disk that is full costs lines, and not the work that they tell of. */
function openStderr() {
  const stderr = pino.destination({ dest: STDERR, sync: true, maxLength: MAX_WAITING_BYTES });
  stderr.on('error', () => {});
  return stderr;
}
