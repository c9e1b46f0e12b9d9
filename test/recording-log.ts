import type { Log, LogFields, LogSeverity } from '../src/model/log.ts';

export interface LogLine {
  readonly level: LogSeverity;
  readonly message: string;
  readonly fields: LogFields;
}

/** Keeps what it is told, also through the logs that `with` returns. */
export class RecordingLog implements Log {
  readonly lines: LogLine[];
  readonly #common: LogFields;

  constructor(lines: LogLine[] = [], common: LogFields = {}) {
    this.lines = lines;
    this.#common = common;
  }

  debug(message: string, fields?: LogFields): void {
    this.#add('debug', message, fields);
  }

  info(message: string, fields?: LogFields): void {
    this.#add('info', message, fields);
  }

  warn(message: string, fields?: LogFields): void {
    this.#add('warn', message, fields);
  }

  error(message: string, fields?: LogFields): void {
    this.#add('error', message, fields);
  }

  with(fields: LogFields): Log {
    return new RecordingLog(this.lines, { ...this.#common, ...fields });
  }

  at(level: LogSeverity): LogLine[] {
    return this.lines.filter((line) => line.level === level);
  }

  get messages(): string[] {
    return this.lines.map(({ message }) => message);
  }

  #add(level: LogSeverity, message: string, fields?: LogFields): void {
    this.lines.push({ level, message, fields: { ...this.#common, ...fields } });
  }
}
