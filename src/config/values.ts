import { IsyncError } from '../model/isync-error.ts';

/** Longest duration in ms: a timer of Node holds no more (2^31 - 1), about 24 days. */
const MAX_DURATION_MS = 2_147_483_647;

/** Kilo is written both ways. "Mb" is not read as "MB": to network people it means bits. */
const BYTE_UNITS: Readonly<Record<string, number>> = {
  '': 1,
  B: 1,
  kB: 1e3,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  kiB: 2 ** 10,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
};

const DURATION_UNITS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

const NUMBER_AND_UNIT = /^(\d+(?:\.\d+)?) ?([a-zA-Z]*)$/;

/**
 * Returns the error of a bad value; `predicate` completes a sentence that begins with the value. Each function below
 * throws it.
 */
export function badValue(predicate: string): IsyncError {
  return new IsyncError('CONFIG_INVALID', predicate);
}

/** Returns whole bytes, at least `smallest`. */
export function parseBytes(text: string, smallest = 0): number {
  const bytes = measure(text, BYTE_UNITS, '');
  if (bytes === undefined) throw badValue('is no size like 4096, 500kB, 10MiB or 2GiB');
  if (bytes < smallest) throw badValue(`is too small; the least is ${smallest} bytes`);
  return bytes;
}

/** Returns whole bytes per second, at least one; a bare number is KiB/s, as rsync and rclone mean it. */
export function parseRate(text: string): number {
  const rate = measure(text.replace(/\/s$/, ''), BYTE_UNITS, 'KiB');
  if (rate === undefined)
    throw badValue('is no rate like 500kB/s, 2MB/s or 10MiB/s (a bare number is KiB/s), nor "off"');
  if (rate < 1) throw badValue('is too small; the least is 1B/s, and "off" means no limit');
  return rate;
}

/** Returns whole milliseconds, at least `smallest`; a bare number counts in `unit`. */
export function parseDuration(text: string, unit: 'ms' | 's', smallest = 0): number {
  const ms = measure(text, DURATION_UNITS, unit);
  const plain = unit === 'ms' ? 'milliseconds' : 'seconds';
  if (ms === undefined)
    throw badValue(`is no duration like 250ms, 10s, 5m, 1h or 2d (a bare number is ${plain})`);
  if (ms > MAX_DURATION_MS) throw badValue('is too long; the most is 24 days');
  if (ms < smallest) throw badValue(`is too short; the least is ${smallest} ms`);
  return ms;
}

/** Longest span in ms: ten years. No timer waits for it at once. */
const MAX_SPAN_MS = 3650 * 86_400_000;

/** Returns whole milliseconds of a time that is counted in days or weeks rather than waited for; it needs its unit. */
export function parseSpan(text: string, smallest: number): number {
  const ms = /[a-z]$/i.test(text) ? measure(text, { ...DURATION_UNITS, w: 604_800_000 }, 's') : undefined;
  if (ms === undefined) throw badValue('is no time with a unit like 90m, 24h, 7d or 4w');
  if (ms > MAX_SPAN_MS) throw badValue('is too long; the most is ten years');
  if (ms < smallest) throw badValue(`is too short; the least is ${smallest} ms`);
  return ms;
}

export function parseCount(text: string): number {
  const value = /^\d+$/.test(text) ? Number(text) : 0;
  if (value < 1 || !Number.isSafeInteger(value)) throw badValue('is no whole number from 1 up');
  return value;
}

const YES: ReadonlySet<string> = new Set(['true', 'yes', 'on', '1']);
const NO: ReadonlySet<string> = new Set(['false', 'no', 'off', '0']);

export function parseBoolean(text: string): boolean {
  const word = text.toLowerCase();
  if (YES.has(word)) return true;
  if (NO.has(word)) return false;
  throw badValue('is neither true nor false');
}

export interface HostPort {
  /** Without the brackets of an IPv6 address. */
  readonly host: string;
  /** 0 lets the system choose. */
  readonly port: number;
}

export function parseHostPort(text: string): HostPort {
  const found = /^(?:\[([0-9a-fA-F:.%\w]+)\]|([^\s:[\]/]+)):(\d{1,5})$/.exec(text);
  const host = found?.[1] ?? found?.[2];
  const port = Number(found?.[3]);
  if (host === undefined || port > 65_535)
    throw badValue('is no HOST:PORT like 127.0.0.1:7400, 0.0.0.0:7400 or [::1]:7400');
  return { host, port };
}

/** Splits a text at commas, but not within braces: `*.{tmp,part}` stays one pattern. */
export function splitList(text: string): string[] {
  const items = [''];
  let depth = 0;
  for (const character of text) {
    if (character === '{') depth++;
    if (character === '}') depth = Math.max(0, depth - 1);
    if (character === ',' && depth === 0) items.push('');
    else items.push(`${items.pop() ?? ''}${character}`);
  }
  return items.map((item) => item.trim()).filter((item) => item !== '');
}

function measure(
  text: string,
  units: Readonly<Record<string, number>>,
  defaultUnit: string,
): number | undefined {
  const found = NUMBER_AND_UNIT.exec(text.trim());
  if (found === null) return undefined;
  const unit = found[2] === undefined || found[2] === '' ? defaultUnit : found[2];
  const factor = Object.hasOwn(units, unit) ? units[unit] : undefined;
  if (factor === undefined) return undefined;
  const value = Math.round(Number(found[1]) * factor);
  return Number.isSafeInteger(value) ? value : undefined;
}
