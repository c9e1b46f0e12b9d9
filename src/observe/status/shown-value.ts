import { printable } from '../printable.ts';
import { formatBytes, formatRate, formatSeconds } from '../units.ts';
import type { Unit } from './report.ts';

/** A value for people: `3.4 MiB`, `2m05s ago`, `yes`; `-` for what is not known. One line, whatever it holds. */
export function shownValue(
  value: string | number | boolean | null | undefined,
  unit: Unit | undefined,
  nowMs: number,
): string {
  if (value === null || value === undefined || value === '') return '-';
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  if (typeof value === 'string') return printable(value);
  switch (unit) {
    case 'bytes':
      return formatBytes(value);
    case 'bytesPerSecond':
      return formatRate(value);
    case 'seconds':
      return formatSeconds(value);
    case 'time':
      return shownTime(value, nowMs);
    case 'count':
    case undefined:
      return value.toLocaleString('en-US');
  }
}

/** `2m05s ago`, `in 3h10m`. */
export function shownTime(ms: number, nowMs: number): string {
  const seconds = (nowMs - ms) / 1000;
  return seconds >= 0 ? `${formatSeconds(seconds)} ago` : `in ${formatSeconds(-seconds)}`;
}
