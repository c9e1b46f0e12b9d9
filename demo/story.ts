import { styleText } from 'node:util';

const startedMs = performance.now();

/** One line of what happens, with the seconds since the start. */
export function tell(what: string, more = ''): void {
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(1).padStart(5);
  status('');
  console.log(
    `${styleText('dim', `${seconds} s`)}  ${what}${more === '' ? '' : `  ${styleText('dim', more)}`}`,
  );
}

/** A line at the bottom that the next one replaces; on a terminal only. */
export function status(text: string): void {
  if (process.stdout.isTTY) process.stdout.write(`\r\u001B[K${text === '' ? '' : `         ${text}`}`);
}

export function good(text: string): string {
  return styleText('green', text);
}

export function title(text: string): string {
  return styleText('bold', text);
}

/** A count of bytes for people. */
export function bytes(count: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  const power = Math.min(units.length - 1, Math.floor(Math.log2(Math.max(count, 1)) / 10));
  return `${(count / 1024 ** power).toFixed(power === 0 ? 0 : 1)} ${units[power]}`;
}

export function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

/** The middle one of some durations in ms, and the one that nineteen of twenty do not exceed. */
export function latencies(values: readonly number[]): string {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (part: number): string =>
    `${(sorted[Math.floor((sorted.length - 1) * part)] ?? 0).toFixed(0)} ms`;
  return `median ${at(0.5)}, 95 % within ${at(0.95)}`;
}
