import { fstatSync } from 'node:fs';
import { isRecord, otherFields, parseRecord, textOf } from './log-record.ts';
import { printable } from './printable.ts';

/** Priorities of syslog: https://www.freedesktop.org/software/systemd/man/latest/sd-daemon.html */
const PRIORITIES: Readonly<Record<string, number>> = { debug: 7, info: 6, warn: 4, error: 3 };
const ERROR = 3;
/** Values that can stand without quotes. */
const PLAIN = /^[^\s"=]+$/;

/**
 * Whether a file descriptor of ours leads to journald, which then says so in JOURNAL_STREAM: `DEVICE:INODE`. A variable that was
 * inherited by a process whose output goes elsewhere names another one.
 * https://www.freedesktop.org/software/systemd/man/latest/systemd.exec.html#%24JOURNAL_STREAM
 */
export function leadsToJournal(fd: number, stream: string | undefined): boolean {
  if (stream === undefined) return false;
  try {
    const { dev, ino } = fstatSync(fd, { bigint: true });
    return stream === `${dev}:${ino}`;
  } catch {
    // Closed: nobody reads it.
    return false;
  }
}

/**
 * A JSON line of log as journald takes it: `<4>message path=DC1/a.bin code=…`, without a time, for journald has its own. A stack stands
 * below, each line with the priority, since journald makes an entry of each.
 */
export function journalLine(json: string): string {
  const record = parseRecord(json);
  if (record === undefined) return `<${ERROR}>${printable(json.trim())}`;
  const priority = `<${PRIORITIES[textOf(record['level'])] ?? ERROR}>`;
  const { err } = record;
  const fields = [...otherFields(record), ...(isRecord(err) ? errorFields(err) : [])];
  const rest = fields.map(([name, value]) => ` ${printable(name)}=${quoted(textOf(value))}`);
  const first = `${priority}${printable(textOf(record['msg']))}${rest.join('')}`;
  const stack = isRecord(err) && typeof err['stack'] === 'string' ? err['stack'].split('\n') : [];
  return [first, ...stack.map((line) => `${priority}  ${printable(line)}`)].join('\n');
}

/** `code`, `error`, `hint` and `path` of an error, those that it has. */
function errorFields({ code, message, hint, path }: Readonly<Record<string, unknown>>): [string, unknown][] {
  const all: [string, unknown][] = [
    ['code', code],
    ['error', message],
    ['hint', hint],
    ['path', path],
  ];
  return all.filter(([, value]) => value !== undefined);
}

function quoted(text: string): string {
  const shown = printable(text);
  if (PLAIN.test(shown)) return shown;
  return `"${shown.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
}
