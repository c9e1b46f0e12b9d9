import { hostname } from 'node:os';
import type { Notice, NoticeField } from './notice.ts';

/** Longest text of a field, in characters: what a database prints when it fails is for the log. */
const MAX_TEXT = 1000;
/** Fields that a program may look up by. */
const EXACT: ReadonlySet<string> = new Set<NoticeField>(['text', 'device', 'directory', 'subject']);

type Fields = Readonly<Partial<Record<NoticeField, string>>>;

/**
 * A notice with what every one has: machine, time, and all lines as one text. Names of files and folders stay as they are; whatever else
 * somebody may have written is put into one line.
 */
export function makeNotice({ fields, ...given }: Notice): Notice {
  const host = hostname();
  const title = oneLine(`isync ${given.title}`);
  const lines = [
    ...given.lines.map(oneLine),
    `Machine: ${host}`,
    ...(given.run === undefined ? [] : [`Run: ${given.run}`]),
  ];
  const all: Fields = {
    ...fields,
    job: given.job,
    occasion: given.occasion,
    run: given.run ?? '',
    time: new Date(given.atMs).toISOString(),
    host,
    title,
    text: lines.join('\n'),
  };
  const bounded = Object.entries(all).map(([name, text]) => [name, EXACT.has(name) ? text : oneLine(text)]);
  return { ...given, title, lines, fields: Object.fromEntries(bounded) };
}

/** What others have said may have any characters in it, and goes to terminals, mails and chats. */
function oneLine(text: string): string {
  const line = text.replace(/[\s\p{Cc}]+/gu, ' ').trim();
  return line.length > MAX_TEXT ? `${line.slice(0, MAX_TEXT)}…` : line;
}
