/** The member `name` of a parsed JSON value; undefined where the value is no object or has no such member of its own. */
export function member(value: unknown, name: string): unknown {
  return isObject(value) && Object.hasOwn(value, name) ? value[name] : undefined;
}

/** As {@link member}, one name after the other. */
export function memberAt(value: unknown, ...names: readonly string[]): unknown {
  return names.reduce(member, value);
}

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}

/** A text that has the form of `pattern`, else undefined: for what an event may lack. */
export function textLike(pattern: RegExp, value: unknown): string | undefined {
  return typeof value === 'string' && pattern.test(value) ? value : undefined;
}

/** A whole number of at least 0, written as a number or in digits. */
export function countOf(value: unknown): number | undefined {
  const count = typeof value === 'string' && /^\d{1,16}$/.test(value) ? Number(value) : value;
  return typeof count === 'number' && Number.isSafeInteger(count) && count >= 0 ? count : undefined;
}
