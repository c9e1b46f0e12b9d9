/** The fields of one line of log, as its JSON has them. */
export type LogRecord = Readonly<Record<string, unknown>>;

/** Fields that have a place of their own in a line for people, or none. */
const OWN_PLACE: ReadonlySet<string> = new Set(['level', 'time', 'msg', 'err']);

/** Returns undefined for what is no object of JSON: it is shown as it is. */
export function parseRecord(json: string): LogRecord | undefined {
  try {
    const value: unknown = JSON.parse(json);
    return isRecord(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

export function isRecord(value: unknown): value is LogRecord {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The fields beside level, time, message and error, in their order. */
export function otherFields(record: LogRecord): [name: string, value: unknown][] {
  return Object.entries(record).filter(([name]) => !OWN_PLACE.has(name));
}

/** A text as it is, anything else as JSON; '' for undefined. */
export function textOf(value: unknown): string {
  if (typeof value !== 'string') return value === undefined ? '' : JSON.stringify(value);
  return value;
}
