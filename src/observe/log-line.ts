import { printable } from './printable.ts';

/** Fields that have a place of their own in the line, or none. */
const OWN_PLACE: ReadonlySet<string> = new Set(['level', 'time', 'msg', 'err']);

/** A JSON line of log as one line for people: `10:04:05 warn  message path=DC1/a.bin`, and an error's stack below. */
export function logLine(json: string): string {
  const fields = parseFields(json);
  if (fields === undefined) return printable(json.trim());
  const time = timeOfDay(fields['time']);
  const level = textOf(fields['level']).padEnd(5);
  const rest = Object.entries(fields)
    .filter(([name]) => !OWN_PLACE.has(name))
    .map(([name, value]) => ` ${name}=${textOf(value)}`);
  return `${time} ${level} ${printable(`${textOf(fields['msg'])}${rest.join('')}`)}${linesOf(fields['err'])}`;
}

type Fields = Readonly<Record<string, unknown>>;

function parseFields(json: string): Fields | undefined {
  try {
    const value: unknown = JSON.parse(json);
    return isFields(value) ? value : undefined;
  } catch {
    // Shown as it is.
    return undefined;
  }
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function timeOfDay(iso: unknown): string {
  const date = new Date(typeof iso === 'string' ? iso : Number.NaN);
  if (Number.isNaN(date.getTime())) return '--:--:--';
  return [date.getHours(), date.getMinutes(), date.getSeconds()]
    .map((n) => String(n).padStart(2, '0'))
    .join(':');
}

function textOf(value: unknown): string {
  if (typeof value !== 'string') return value === undefined ? '' : JSON.stringify(value);
  return value;
}

/** What an error says, each line in one of its own: its stack, or where it needs none its message, code and advice. */
function linesOf(error: unknown): string {
  if (!isFields(error)) return '';
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
