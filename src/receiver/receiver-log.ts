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
