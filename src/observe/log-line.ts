import { isRecord, otherFields, parseRecord, textOf } from './log-record.ts';
import { printable } from './printable.ts';

/** How the time stands in a line: `time` of day, local, for who looks on; `date`, ISO 8601 in UTC, for a file that is read later. */
export type ShownTime = 'time' | 'date';

/** A JSON line of log as one line for people: `10:04:05 warn  message path=DC1/a.bin`, and an error's stack below. */
export function logLine(json: string, shown: ShownTime = 'time'): string {
  const record = parseRecord(json);
  if (record === undefined) return printable(json.trim());
  const time = shown === 'time' ? timeOfDay(record['time']) : printable(textOf(record['time']));
  const level = textOf(record['level']).padEnd(5);
  const rest = otherFields(record).map(([name, value]) => ` ${name}=${textOf(value)}`);
  return `${time} ${level} ${printable(`${textOf(record['msg'])}${rest.join('')}`)}${linesOf(record['err'])}`;
}

function timeOfDay(iso: unknown): string {
  const date = new Date(typeof iso === 'string' ? iso : Number.NaN);
  if (Number.isNaN(date.getTime())) return '--:--:--';
  return [date.getHours(), date.getMinutes(), date.getSeconds()]
    .map((n) => String(n).padStart(2, '0'))
    .join(':');
}

/** What an error says, each line in one of its own: its stack, or where it needs none its message, code and advice. */
function linesOf(error: unknown): string {
  if (!isRecord(error)) return '';
  const { stack, code, message, hint } = error;
  const text =
    typeof stack === 'string'
      ? stack
      : [`${textOf(message)} [${textOf(code)}]`, ...(hint === undefined ? [] : [textOf(hint)])].join('\n');
  return text
    .split('\n')
    .map((line) => `\n  ${printable(line)}`)
    .join('');
}
