import type { Log, LogFields, LogSeverity } from '../../model/log.ts';
import { toldError } from '../../model/told-error.ts';
import type { Told } from './messages.ts';

/** A log whose lines another thread writes. */
export class ThreadLog implements Log {
  readonly #tell: (told: Told) => void;
  readonly #common: LogFields;

  constructor(tell: (told: Told) => void, common: LogFields = {}) {
    this.#tell = tell;
    this.#common = common;
  }

  debug(message: string, fields?: LogFields): void {
    this.#line('debug', message, fields);
  }

  info(message: string, fields?: LogFields): void {
    this.#line('info', message, fields);
  }

  warn(message: string, fields?: LogFields): void {
    this.#line('warn', message, fields);
  }

  error(message: string, fields?: LogFields): void {
    this.#line('error', message, fields);
  }

  with(fields: LogFields): Log {
    return new ThreadLog(this.#tell, { ...this.#common, ...fields });
  }

  #line(severity: LogSeverity, message: string, more: LogFields = {}): void {
    const { err, ...fields } = { ...this.#common, ...more };
    this.#tell({ line: { severity, message, fields, err: err === undefined ? undefined : toldError(err) } });
  }
}
