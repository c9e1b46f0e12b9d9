/** Writes a line of log. Must not throw and must return at once. */
export type Note = (
  level: 'debug' | 'info' | 'warn',
  message: string,
  fields?: Readonly<Record<string, unknown>>,
) => void;
