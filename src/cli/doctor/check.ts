import { factsOf } from '../../model/error-table.ts';
import { type ErrorCode, type IsyncError, toIsyncError } from '../../model/isync-error.ts';
import { printable } from '../../observe/printable.ts';

/** What a look at one thing has found. */
export interface Check {
  /** What was looked at, in a word or two. */
  readonly name: string;
  /** `warn`: the command works, but not as well as it could, or not for long. `fail`: it does not. */
  readonly level: 'ok' | 'warn' | 'fail';
  /** A sentence that goes on from `name`. */
  readonly message: string;
  /** Of what the command itself would tell. */
  readonly code?: ErrorCode | undefined;
  /** What to do about it. */
  readonly hint?: string | undefined;
}

export function ok(name: string, message: string): Check {
  return { name, level: 'ok', message };
}

export function warning(name: string, message: string, hint?: string): Check {
  return { name, level: 'warn', message, hint };
}

/** Returns what the command itself would end with, or wait for. */
export function failure(name: string, thrown: unknown): Check {
  return { ...of(name, toIsyncError(thrown, 'INTERNAL')), level: 'fail' };
}

/** Returns the same of what the command gets along with. */
export function passing(name: string, error: IsyncError): Check {
  return { ...of(name, error), level: 'warn' };
}

/** Returns a check for people: a line, and its cure below it. */
export function linesOf({ name, level, message, code, hint }: Check): string[] {
  const what = `${level.padEnd(4)}  ${printable(name)}: ${printable(message)}`;
  const first = code === undefined ? what : `${what} [${code}]`;
  return [first, ...(hint === undefined ? [] : [`      ${printable(hint)}`])];
}

function of(
  name: string,
  { code, message, path, hint = factsOf(code).cure }: IsyncError,
): Omit<Check, 'level'> {
  const where = path === undefined || message.includes(path) ? '' : ` (${path})`;
  return { name, message: `${message}${where}`, code, hint };
}
