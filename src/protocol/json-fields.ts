import { isUtf8 } from 'node:buffer';
import { malformed } from './bytes.ts';

/** A JSON object from the wire. Each reader throws IsyncError PROTOCOL where a field is not what it should be. */
export type Fields = Readonly<Record<string, unknown>>;

export function parseObject(json: Buffer, mostBytes: number): Fields {
  if (json.length > mostBytes) throw malformed(`JSON of more than ${mostBytes} bytes`);
  if (!isUtf8(json)) throw malformed('not UTF-8');
  let value: unknown;
  try {
    value = JSON.parse(json.toString('utf8'));
  } catch {
    throw malformed('not JSON');
  }
  if (!isObject(value)) throw malformed('not a JSON object');
  return value;
}

export function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function text(fields: Fields, name: string): string {
  const value = fields[name];
  if (typeof value !== 'string') throw malformed(`"${name}" is no text`);
  return value;
}

export function truth(fields: Fields, name: string): boolean {
  const value = fields[name];
  if (typeof value !== 'boolean') throw malformed(`"${name}" is neither true nor false`);
  return value;
}

/** A whole number from 0 on; undefined where there is none. */
export function optionalCount(fields: Fields, name: string): number | undefined {
  const value = fields[name];
  if (value === undefined) return undefined;
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0)
    throw malformed(`"${name}" is no whole number from 0 on`);
  return value;
}
