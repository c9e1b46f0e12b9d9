export type LogFields = Readonly<Record<string, unknown>>;

export type LogSeverity = 'debug' | 'info' | 'warn' | 'error';

/** Where lines of log go. No method throws, and each returns at once. An error is the field `err`. */
export interface Log {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** The same log with `fields` in each of its lines. Where a line brings a field of the same name, its own wins. */
  with(fields: LogFields): Log;
}
