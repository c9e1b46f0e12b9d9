/**
 * How values of a report read. Everything here returns text, and text is all that is ever set: names of devices and files are
 * chosen by strangers.
 * @typedef {string | number | boolean | null} Value
 * @typedef {import('../../../observe/status/report.ts').Unit} Unit
 */

const COUNTS = new Intl.NumberFormat('en-US');
const TIMES = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'medium' });
const SIZES = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];
const UNKNOWN = '–';

/** Control characters, and those that change the direction of text. */
// eslint-disable-next-line no-control-regex -- control characters are the point
const UNPRINTABLE = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/**
 * The text with what would not be seen, or would change how the rest is seen, written out.
 * @param {string} text
 */
export function printable(text) {
  return text.replaceAll(UNPRINTABLE, (found) => {
    const code = found.charCodeAt(0).toString(16);
    return code.length <= 2 ? `\\x${code.padStart(2, '0')}` : `\\u${code.padStart(4, '0')}`;
  });
}

/**
 * @param {Value} value
 * @param {Unit | undefined} unit
 * @param {number} nowMs by the clock of the command
 * @returns {string}
 */
export function shown(value, unit, nowMs) {
  if (value === null) return UNKNOWN;
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  if (typeof value === 'string') return printable(value);
  switch (unit) {
    case 'bytes':
      return bytes(value);
    case 'bytesPerSecond':
      return `${bytes(value)}/s`;
    case 'seconds':
      return duration(value);
    case 'time':
      return ago(value, nowMs);
    case 'count':
    case undefined:
      return COUNTS.format(value);
  }
}

/**
 * More than `shown` says; '' where there is no more.
 * @param {Value} value
 * @param {Unit | undefined} unit
 */
export function detail(value, unit) {
  if (value === null) return 'not known';
  if (typeof value === 'number' && unit === 'time') return at(value);
  if (typeof value === 'number' && unit === 'bytes') return `${COUNTS.format(value)} bytes`;
  return '';
}

/** @param {number} ms since 1970 */
export function at(ms) {
  return Number.isFinite(ms) && Math.abs(ms) <= 8.64e15 ? TIMES.format(ms) : UNKNOWN;
}

/** @param {number} value */
function bytes(value) {
  let rest = Math.max(0, value);
  let size = 0;
  while (rest >= 1023.95 && size < SIZES.length - 1) {
    rest /= 1024;
    size++;
  }
  return `${size === 0 ? Math.round(rest) : rest.toFixed(1)} ${SIZES[size]}`;
}

/** @param {number} seconds */
function duration(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  if (whole < 86_400) return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
  return `${Math.floor(whole / 86_400)} d ${Math.floor((whole % 86_400) / 3600)} h`;
}

/**
 * @param {number} ms
 * @param {number} nowMs
 */
function ago(ms, nowMs) {
  const seconds = (nowMs - ms) / 1000;
  if (Math.abs(seconds) < 1.5) return 'now';
  const words = rough(Math.abs(seconds));
  return seconds > 0 ? `${words} ago` : `in ${words}`;
}

/** @param {number} seconds */
function rough(seconds) {
  if (seconds < 60) return `${Math.round(seconds)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86_400)} d`;
}
