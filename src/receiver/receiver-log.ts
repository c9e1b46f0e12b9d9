export type LogFields = Readonly<Record<string, unknown>>;

/** Where a receiver's lines of log go. Must not throw, and must return at once. An error is the field `err`. */
export interface ReceiverLog {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
}

/** `log` with `common` in every line. */
export function withFields(log: ReceiverLog, common: LogFields): ReceiverLog {
  return {
    debug: (message, fields) => log.debug(message, { ...common, ...fields }),
    info: (message, fields) => log.info(message, { ...common, ...fields }),
    warn: (message, fields) => log.warn(message, { ...common, ...fields }),
    error: (message, fields) => log.error(message, { ...common, ...fields }),
  };
}

/** Time between two lines of the same message, in ms: nobody can fill the disk with log by knocking often. */
const THROTTLE_MS = 1000;

/** Warnings that strangers can cause: each message at most once a second, with the count of those left out. */
export class ThrottledWarnings {
  readonly #log: ReceiverLog;
  /** By message: the callers' fixed texts, never anything from the wire. */
  readonly #lines = new Map<string, { at: number; suppressed: number }>();

  constructor(log: ReceiverLog) {
    this.#log = log;
  }

  warn(message: string, fields: LogFields): void {
    const now = performance.now();
    const line = this.#lines.get(message);
    if (line !== undefined && now - line.at < THROTTLE_MS) {
      line.suppressed++;
      return;
    }
    this.#lines.set(message, { at: now, suppressed: 0 });
    this.#log.warn(message, { ...fields, suppressed: line?.suppressed ?? 0 });
  }
}
