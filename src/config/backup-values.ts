import { isAbsolute, normalize } from 'node:path';
import { Encrypter } from 'age-encryption';
import { Cron } from 'croner';
import picomatch from 'picomatch/posix.js';
import { relPathFault } from '../model/rel-path.ts';
import { notEmpty } from './fields.ts';
import { MAX_TAGS, tagIn } from './s3-settings.ts';
import { badValue, parseCount } from './values.ts';

/** Longest glob in characters: it is compiled, and asked about each file. */
const MAX_GLOB = 1024;
/** Most that a rule counts: a backup a minute for a year. */
const MAX_KEPT = 525_600;
/** Longest lock and rule in days: a hundred years. */
const MAX_DAYS = 36_500;
/** Longest body of a webhook's template in characters. */
const MAX_BODY = 65_536;

/** A job is a folder in each store, and a part of names. */
export function parseJobName(text: string): string {
  if (!/^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/.test(text))
    throw badValue('is no name of 1 to 64 of A-Z a-z 0-9 "_" "." "-" that begins with a letter or digit');
  return text;
}

/** A path that means the same wherever isync is started. */
export function parseAbsolutePath(text: string): string {
  if (!isAbsolute(notEmpty(text))) throw badValue('is no absolute path, which begins with "/"');
  if (text.includes('\0')) throw badValue('has a NUL character');
  const path = normalize(text);
  return path === '/' ? path : path.replace(/\/$/, '');
}

/** The place in the archive of what a command prints. */
export function parseMemberName(text: string): string {
  const fault = relPathFault(text);
  if (fault !== undefined) throw badValue(`is no path in an archive: it ${fault}`);
  return text;
}

/** 5 or 6 fields. */
export function parseCronPattern(text: string): string {
  let next: Date | null;
  try {
    next = new Cron(text, { mode: '5-or-6-parts', timezone: 'UTC', paused: true }).nextRun();
  } catch (error) {
    const reason = error instanceof Error ? error.message.replace(/^\w+: /, '') : String(error);
    throw badValue(`is no schedule of 5 or 6 fields like "0 30 2 * * *" (${reason})`);
  }
  if (next === null) throw badValue('is a schedule that is never due');
  return text;
}

export function parseTimezone(text: string): string {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: text }).resolvedOptions().timeZone;
  } catch {
    throw badValue('is no time zone like Asia/Shanghai or UTC');
  }
}

/** A public key of age. */
export function parseRecipient(text: string): string {
  if (/^AGE-SECRET-KEY-/i.test(text))
    throw badValue('is a private key, which belongs into the file that "identityFile" names');
  try {
    new Encrypter().addRecipient(text);
  } catch {
    throw badValue('is no public key of age like age1…, or has a typo');
  }
  return text;
}

/** Globs of paths below a source. src/backup/pack/exclude.ts says what they match. */
export function parseExcludes(globs: readonly string[]): readonly string[] {
  for (const glob of globs) {
    if (glob === '' || glob.length > MAX_GLOB)
      throw badValue(`has a pattern that is not of 1 to ${MAX_GLOB} characters`);
    if (/^!(?!\()/.test(glob))
      throw badValue(`has "${glob}", but there are no exceptions from patterns ("!")`);
    try {
      // Without `debug` what can't be compiled would silently match nothing.
      picomatch.makeRe(glob, { dot: true, nonegate: true, strictBrackets: true, debug: true });
    } catch (error) {
      throw badValue(`has "${glob}", which ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  return globs;
}

const FIELDS = ['system', 'type', 'timestamp', 'localtime', 'version'];

/** What backups are called, without the endings. The version is in it, or two could have one name. */
export function parseNameTemplate(text: string): string {
  const fields = [...text.matchAll(/\{([^{}]*)\}/g)].map(([, field = '']) => field);
  const unknown = fields.find((field) => !FIELDS.includes(field));
  if (unknown !== undefined)
    throw badValue(`has {${unknown}}, which is none of ${FIELDS.map((field) => `{${field}}`).join(', ')}`);
  if (fields.filter((field) => field === 'version').length !== 1)
    throw badValue('must have {version} once, or two backups could have the same name');
  const rest = text.replaceAll(/\{\w+\}/g, '');
  if (!/^[A-Za-z0-9_.-]*$/.test(rest) || text.startsWith('.') || text.startsWith('-') || text.length > 128)
    throw badValue(
      'is no name: 128 of A-Z a-z 0-9 "_" "." "-" and {fields} at most, and no "." or "-" first',
    );
  return text;
}

export function parseKept(text: string): number {
  const count = parseCount(text);
  if (count > MAX_KEPT) throw badValue(`is too many; the most is ${MAX_KEPT}`);
  return count;
}

export function parseDays(text: string): number {
  const days = parseCount(text);
  if (days > MAX_DAYS) throw badValue(`is more than ${MAX_DAYS} days`);
  return days;
}

/** Program and arguments. There is no shell, so what is neither in PATH nor absolute would depend on where isync was started. */
export function parseProgram(words: readonly string[]): readonly string[] {
  const [program = ''] = words;
  if (program === '') throw badValue('is empty; it is [PROGRAM, ARGUMENT, …]');
  if (words.some((word) => word.includes('\0'))) throw badValue('has a NUL character');
  if (words.length === 1 && /\s/.test(program))
    throw badValue('is one program, for there is no shell; with arguments it is a list: [PROGRAM, ARGUMENT]');
  if (program.includes('/') && !isAbsolute(program))
    throw badValue('is neither a name to be looked for in PATH nor an absolute path');
  return words;
}

/** Tags as a map: those that every store takes. */
export function tagFaults(
  tags: Readonly<Record<string, string>>,
): [key: string | undefined, message: string][] {
  const entries = Object.entries(tags);
  const faults: [string | undefined, string][] = entries.flatMap(([key, value]): [string, string][] => {
    const tag = tagIn(`${key}=${value}`);
    if (tag?.key === key && tag.value === value) return [];
    return [
      [
        key,
        'is no tag that S3 takes: 128 characters and 256 in its value at most, of letters, digits, spaces and + - = . : / @ _, no "=" in its name and no "aws:" before it',
      ],
    ];
  });
  if (entries.length > MAX_TAGS)
    faults.push([undefined, `has more than the ${MAX_TAGS} tags that an object may have`]);
  return faults;
}

/** Where a notice is posted. Never shown: such addresses are secrets themselves. */
export function parseNoticeUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol !== 'http:' && url?.protocol !== 'https:') throw badValue('is no URL like https://…');
  return text;
}

export function parseMailAddress(text: string): string {
  if (!/^[^\s@<>,;]+@[^\s@<>,;]+$/.test(text) || text.length > 254)
    throw badValue('is no address like backup@example.org');
  return text;
}

export function parseBody(text: string): string {
  if (text.length > MAX_BODY) throw badValue(`is longer than ${MAX_BODY} characters`);
  return text;
}
