import { pino, type Logger } from 'pino';
import { logLine } from './log-line.ts';
import type { StatusLine } from './status-line.ts';

export type Log = Logger;
export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent';

const STDERR = 2;

/**
 * Log on stderr: one line of text each above the status line where stderr is a terminal, else one line of JSON
 * with `level`, `time` (ISO 8601) and `msg`. Written before the call returns, so that an exit loses nothing.
 */
export function createLog(level: LogLevel, terminal: StatusLine | undefined): Log {
  const options = {
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
  };
  if (terminal === undefined) return pino(options, pino.destination({ dest: STDERR, sync: true }));
  return pino(options, { write: (line) => terminal.print(logLine(line)) });
}
