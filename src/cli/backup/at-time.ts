import { wallClockAt } from '../../backup/names/wall-clock.ts';
import { IsyncError } from '../../model/isync-error.ts';

/** `2025-04-05`, with a time of day after " " or "T", with the seconds or without, with a zone or without; also as in names. */
const TIME =
  /^(\d{4})-?(\d\d)-?(\d\d)(?:[ T](\d\d):?(\d\d)(?::?(\d\d)(?:\.\d{1,9})?)?\s*(Z|[+-]\d\d:?\d\d)?)?$/i;
const DAY_MS = 86_400_000;

/**
 * A time that somebody has written, in ms since the epoch. Without a zone it is of the time zone given; a day alone is the end of that day.
 * @param timezone IANA name
 * @throws IsyncError USAGE
 */
export function timeOf(text: string, timezone: string): number {
  const [whole, year, month, day, hour, minute, second = '0', zone] = TIME.exec(text.trim()) ?? [];
  if (whole === undefined) throw noTime(text);
  const parts = [year, month, day, hour ?? '0', minute ?? '0', second].map(Number);
  const wallMs = wallClock(parts);
  if (wallMs === undefined) throw noTime(text);
  if (hour === undefined) return inZone(wallMs + DAY_MS, timezone) - 1;
  // A backup of the same second counts as one of that time.
  const endMs = wallMs + 999;
  return zone === undefined ? inZone(endMs, timezone) : endMs - offsetOf(zone);
}

/** As if it were UTC; undefined where there is no such time, like 30 February. */
function wallClock([year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0]: readonly number[]):
  number | undefined {
  const date = new Date(Date.UTC(year, month - 1, day, hour, minute, second));
  const isSame =
    date.getUTCMonth() === month - 1 &&
    date.getUTCDate() === day &&
    date.getUTCHours() === hour &&
    date.getUTCMinutes() === minute &&
    date.getUTCSeconds() === second;
  return isSame ? date.getTime() : undefined;
}

/** Twice, because the offset is that of the time that comes out: near a change of clocks the first guess may lie on its other side. */
function inZone(wallMs: number, timezone: string): number {
  const guess = wallMs - zoneOffset(wallMs, timezone);
  return wallMs - zoneOffset(guess, timezone);
}

function zoneOffset(ms: number, timeZone: string): number {
  const { year, month, day, hour, minute, second } = wallClockAt(ms, timeZone);
  const wall = Date.UTC(year, month - 1, day, hour, minute, second);
  return wall - Math.floor(ms / 1000) * 1000;
}

function offsetOf(zone: string): number {
  if (/^z$/i.test(zone)) return 0;
  const [hours, minutes] = [zone.slice(1, 3), zone.slice(-2)].map(Number);
  return (zone.startsWith('-') ? -1 : 1) * ((hours ?? 0) * 3_600_000 + (minutes ?? 0) * 60_000);
}

function noTime(text: string): IsyncError {
  return new IsyncError('USAGE', `--at ${text} is no time`, {
    hint: 'Like "2025-04-05 12:00", 2025-04-05T12:00:00Z, 20250405T120000Z or 2025-04-05.',
  });
}
