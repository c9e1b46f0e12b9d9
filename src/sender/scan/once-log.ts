import type { Log, LogFields, LogSeverity } from '../../model/log.ts';

/**
 * Writes each message once. It is for what is true of the machine and comes up again for each directory. A log that `with`
 * makes of it writes every message.
 */
export class OnceLog implements Log {
  readonly #log: Log;
  readonly #told = new Set<string>();

  constructor(log: Log) {
    this.#log = log;
  }

  debug(message: string, fields?: LogFields): void {
    this.#tell('debug', message, fields);
  }

  info(message: string, fields?: LogFields): void {
    this.#tell('info', message, fields);
  }

  warn(message: string, fields?: LogFields): void {
    this.#tell('warn', message, fields);
  }

  error(message: string, fields?: LogFields): void {
    this.#tell('error', message, fields);
  }

  with(fields: LogFields): Log {
    return this.#log.with(fields);
  }

  /** Meant for messages of ours, of which there are few. */
  #tell(level: LogSeverity, message: string, fields?: LogFields): void {
    if (this.#told.has(message)) return;
    this.#told.add(message);
    this.#log[level](message, fields);
  }
}
