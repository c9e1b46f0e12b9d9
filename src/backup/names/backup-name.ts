import type { BackupType, Compression } from '../job.ts';
import { wallClockAt } from './wall-clock.ts';

/** What the name of a backup tells people. Code reads manifests, never names. */
export interface NamedBackup {
  readonly system: string;
  readonly type: BackupType;
  /** In ms since the epoch. */
  readonly startedMs: number;
  /** IANA name, for `{localtime}`. */
  readonly timezone: string;
  /** From 1. */
  readonly version: number;
  readonly compress: Compression;
  readonly isEncrypted: boolean;
}

/** Digits of a version at least, so that 1 to 999 are in order in any listing. */
const VERSION_DIGITS = 3;
const ENDINGS: Readonly<Record<Compression, string>> = { zstd: '.tar.zst', gzip: '.tar.gz', none: '.tar' };
const AGE_ENDING = '.age';

/** The name of a backup, which is the key of its archive: `app_data_full_20250405T120000Z_001.tar.zst.age`. */
export function backupName(template: string, backup: NamedBackup): string {
  const { system, type, startedMs, timezone, version, compress, isEncrypted } = backup;
  const fields: Readonly<Record<string, string>> = {
    system,
    type,
    timestamp: `${timeText(startedMs, 'UTC')}Z`,
    localtime: timeText(startedMs, timezone),
    version: padded(version, VERSION_DIGITS),
  };
  // In one pass: a system may be called as a field is.
  const stem = template.replaceAll(/\{(\w+)\}/g, (whole, field: string) => fields[field] ?? whole);
  return `${stem}${ENDINGS[compress]}${isEncrypted ? AGE_ENDING : ''}`;
}

/** `20250405T120000` in that zone; of years beyond 0 to 9999 as many digits as they have. */
function timeText(ms: number, timeZone: string): string {
  const { year, month, day, hour, minute, second } = wallClockAt(ms, timeZone);
  const date = `${padded(year, 4)}${padded(month)}${padded(day)}`;
  return `${date}T${padded(hour)}${padded(minute)}${padded(second)}`;
}

function padded(number: number, digits = 2): string {
  return String(number).padStart(digits, '0');
}

/** What stands beside an archive of that name. The endings only find candidates: what an object is, it says itself. */
export const LIST_ENDING = '.files';
export const MANIFEST_ENDING = '.manifest';
export const MARK_ENDING = '.mark';
/** The key of the object that says whose the job is. No backup is called so: names end with that of an archive. */
export const JOB_KEY = 'job.json';

/** Longest number that may be a version, in digits: more can't be told apart by a double. */
const MAX_VERSION_DIGITS = 15;

/**
 * The highest version that one of `keys` has in its name; 0 where none has any. Archives without a manifest count too: a version that was
 * ever used is never used again.
 * @param template of the job now; names of other templates are found where they end with "_" and a number
 */
export function highestVersionIn(keys: Iterable<string>, template: string, system: string): number {
  const now = patternOf(template, system);
  let highest = 0;
  for (const key of keys)
    for (const pattern of [now, OF_ANY_TEMPLATE]) {
      const digits = pattern.exec(key)?.[1] ?? '';
      if (digits !== '' && digits.length <= MAX_VERSION_DIGITS) highest = Math.max(highest, Number(digits));
    }
  return highest;
}

const OF_ANY_TEMPLATE = /_(\d+)\.tar/;

function patternOf(template: string, system: string): RegExp {
  const fields: Readonly<Record<string, string>> = {
    '{system}': literal(system),
    '{type}': '(?:full|incremental)',
    '{timestamp}': String.raw`\d{8,}T\d{6}Z`,
    '{localtime}': String.raw`\d{8,}T\d{6}`,
    '{version}': String.raw`(\d+)`,
  };
  const parts = template.split(/(\{\w+\})/).map((part) => fields[part] ?? literal(part));
  return new RegExp(`^${parts.join('')}${String.raw`\.tar`}`);
}

/** All that a name may have beside letters and digits, as a regular expression takes it for itself. */
function literal(text: string): string {
  return text.replaceAll(/[^\w]/g, String.raw`\$&`);
}
