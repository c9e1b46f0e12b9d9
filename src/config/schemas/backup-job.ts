import { z } from 'zod';
import { parseBandwidth } from '../bandwidth.ts';
import { isWithin } from '../../model/is-within.ts';
import {
  parseAbsolutePath,
  parseCronPattern,
  parseDays,
  parseExcludes,
  parseJobName,
  parseKept,
  parseMemberName,
  parseNameTemplate,
  parseProgram,
  parseRecipient,
  parseTimezone,
  tagFaults,
} from '../backup-values.ts';
import { isRecord } from '../config-file.ts';
import { flag, list, listOf, one, oneOf } from '../fields.ts';
import { passedOn } from '../location.ts';
import { mapFault } from '../map-fault.ts';
import { parseBytes, parseDuration, parseSpan } from '../values.ts';
import { backupNotify } from './backup-notify.ts';
import { backupTarget, placeOf } from './backup-target.ts';

/** Shortest time between two backups, and of a rule, in ms: each lists everything. */
const LEAST_SPAN_MS = 60_000;
/** Smallest spool, in bytes: two of the smallest parts on their way to each of some targets. */
const LEAST_SPOOL_BYTES = 64 * 1024 * 1024;

const absolutePath = one(parseAbsolutePath);
const program = listOf(parseProgram);
const span = one((text) => parseSpan(text, LEAST_SPAN_MS));

const folderSource = z.strictObject({
  path: absolutePath,
  exclude: listOf(parseExcludes),
  oneFilesystem: flag(),
  allowEmpty: flag(),
});
const commandSource = z.strictObject({ command: program, as: one(parseMemberName), allowEmpty: flag() });

type SourceConfig = z.output<typeof folderSource> | z.output<typeof commandSource>;

const source = z.unknown().transform((given, context): SourceConfig => {
  const isCommand = isRecord(given) && ('command' in given || 'as' in given);
  const map = typeof given === 'string' ? { path: given } : given;
  const result = (isCommand ? commandSource : folderSource).safeParse(map, { error: mapFault });
  if (result.success) return result.data;
  for (const issue of result.error.issues)
    context.issues.push(passedOn(typeof given === 'string' ? { ...issue, path: [] } : issue));
  return z.NEVER;
});

const kept = one(parseKept).optional();
const keep = z
  .strictObject({
    last: kept,
    hourly: kept,
    daily: kept,
    weekly: kept,
    monthly: kept,
    yearly: kept,
    days: one(parseDays).optional(),
    min: one(parseKept).prefault('1'),
  })
  .superRefine((rules, context) => {
    if (Object.entries(rules).every(([name, value]) => name === 'min' || value === undefined))
      context.addIssue({
        code: 'custom',
        message: 'keeps nothing: give one of last, hourly, daily, weekly, monthly, yearly and days',
      });
  });

const schedule = one(parseCronPattern).optional();

/** A job of `isync backup`: what src/backup/job.ts says of each field. */
export const backupJob = z
  .strictObject({
    name: one(parseJobName),
    sources: z.array(source, { error: notList('sources') }).min(1, 'is empty; a job has one source at least'),
    schedule,
    every: span.optional(),
    timezone: one(parseTimezone).prefault(systemTimezone),
    full: span.optional(),
    to: z
      .array(backupTarget, { error: notList('targets') })
      .min(1, 'is empty; a job has one target at least'),
    compress: oneOf('zstd', 'gzip', 'none').default('zstd'),
    encrypt: z
      .strictObject({
        recipients: list().pipe(z.array(one(parseRecipient)).min(1, 'is missing')),
        identityFile: absolutePath.optional(),
      })
      .optional(),
    keep: keep.optional(),
    tags: z
      .record(
        z.string(),
        one((text) => text),
        { error: 'is no map like { env: production }' },
      )
      .prefault({}),
    verify: z
      .strictObject({
        schedule,
        every: span.optional(),
        sample: one((text) => parseBytes(text, 1)).optional(),
      })
      .superRefine(oneSchedule)
      .optional(),
    notify: z.array(backupNotify, { error: notList('maps') }).default([]),
    before: program.optional(),
    after: program.optional(),
    /** Bytes a second. */
    bwlimit: one(parseBandwidth).optional(),
    /** Milliseconds. */
    jitter: one((text) => parseDuration(text, 's')).prefault('0s'),
    maxAge: span.optional(),
    stateDir: absolutePath.optional(),
    spool: z
      .strictObject({ max: one((text) => parseBytes(text, LEAST_SPOOL_BYTES)).prefault('10GiB') })
      .prefault({}),
    template: one(parseNameTemplate).prefault('{system}_{type}_{timestamp}_{version}'),
  })
  .superRefine(oneSchedule)
  .superRefine(({ sources, to, tags, stateDir }, context) => {
    const fault = (path: PropertyKey[], message: string): void =>
      context.addIssue({ code: 'custom', path, message });
    for (const [index, message] of overlaps(sources)) fault(['sources', index], message);
    const places = to.map(placeOf);
    places.forEach((place, index) => {
      if (places.indexOf(place) < index) fault(['to', index], 'is the same place as another one of the list');
    });
    for (const [key, message] of tagFaults(tags))
      fault(key === undefined ? ['tags'] : ['tags', key], message);
    to.forEach(({ url }, index) => {
      if (url.kind !== 'folder') return;
      if (stateDir !== undefined && (isWithin(stateDir, url.path) || isWithin(url.path, stateDir)))
        fault(['to', index], `must be apart from "stateDir" (${stateDir})`);
      if (sources.some((source) => 'path' in source && isWithin(source.path, url.path)))
        fault(['to', index], 'holds a source of the job: its backups would lie among what they are of');
    });
  });

export type BackupJobConfig = z.output<typeof backupJob>;

/** Sources whose places in the archive are the same, or lie in one another: `[index, message]` of the later one. */
function overlaps(sources: readonly SourceConfig[]): [number, string][] {
  const places = sources.map((source) => ('path' in source ? source.path : `/${source.as}`));
  return places.flatMap((place, index): [number, string][] => {
    const other = places
      .slice(0, index)
      .find((earlier) => isWithin(place, earlier) || isWithin(earlier, place));
    if (other === undefined) return [];
    const relation =
      other === place ? 'is the same place in the archive as' : 'lies in, or holds, the place of';
    return [[index, `${relation} another source (${other})`]];
  });
}

function oneSchedule(
  { schedule, every }: { readonly schedule?: unknown; readonly every?: unknown },
  context: z.RefinementCtx,
): void {
  if (schedule !== undefined && every !== undefined)
    context.addIssue({
      code: 'custom',
      path: ['every'],
      message: 'is given beside "schedule"; which of the two is meant?',
    });
}

function systemTimezone(): string {
  return new Intl.DateTimeFormat('en').resolvedOptions().timeZone;
}

function notList(what: string): (issue: { readonly input?: unknown }) => string {
  return ({ input }) => (input === undefined ? 'is missing' : `is no list of ${what}`);
}
