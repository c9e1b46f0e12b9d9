import { z } from 'zod';
import { IsyncError } from '../../model/isync-error.ts';
import { MAX_KEY_BYTES } from '../../model/object-key.ts';
import { type JobObject, MANIFEST_FORMAT, type Manifest, type Mark, MAX_PROBLEMS } from './manifest.ts';

/** Longest manifest, mark or job object in bytes: the archives of a long chain, and some problems. */
export const MAX_MANIFEST_BYTES = 4 * 1024 * 1024;
/** Archives of a chain: an incremental backup each hour for a year. */
const MAX_NEEDS = 10_000;
/** Longest text in characters that is for people. */
const MAX_TEXT = 4096;
const MAX_TAGS = 50;

/** Names an object in the folder of the job: a key that leads elsewhere would make prune remove what is not the job's. */
const key = z
  .string()
  .min(1)
  .refine((text) => Buffer.byteLength(text) <= MAX_KEY_BYTES && isOneName(text), 'is no name of an object');
const text = z.string().max(MAX_TEXT);
const count = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER);
const version = count.min(1);
/** In ms; JavaScript's own bounds of a date. */
const time = z
  .string()
  .transform((given) => Date.parse(given))
  .refine((ms) => Number.isFinite(ms), 'is no time');
const tags = z
  .record(text, text)
  .refine((given) => Object.keys(given).length <= MAX_TAGS, `has more than ${MAX_TAGS} tags`);
const stored = { key, size: count, sha256: z.string().regex(/^[0-9a-f]{64}$/) };

const manifest = z
  .object({
    format: z.literal(MANIFEST_FORMAT),
    madeBy: text,
    job: text,
    jobId: text,
    run: text,
    name: key,
    version,
    type: z.enum(['full', 'incremental']),
    started: time,
    finished: time,
    timezone: text.refine(isTimezone, 'is no time zone'),
    compress: z.enum(['zstd', 'gzip', 'none']),
    isEncrypted: z.boolean(),
    archive: z.object(stored),
    list: z.object({ ...stored, records: count }),
    needs: z
      .array(z.object({ ...stored, version }))
      .min(1)
      .max(MAX_NEEDS),
    base: version.optional(),
    counts: z.object({
      files: count,
      directories: count,
      symlinks: count,
      bytes: count,
      storedFiles: count,
      storedBytes: count,
      special: count,
      own: count,
      excluded: count,
      torn: count,
      problems: count,
    }),
    problems: z
      .array(z.object({ path: z.string().max(65_536).optional(), code: text, message: text }))
      .max(MAX_PROBLEMS),
    isShrunk: z.boolean(),
    tags,
  })
  .superRefine((given, context) => {
    const fault = (path: string, message: string): void =>
      context.addIssue({ code: 'custom', path: [path], message });
    const { archive, needs, version, base, type, name, list } = given;
    if (name !== archive.key) fault('name', 'is not the key of the archive');
    if (list.key === archive.key) fault('list', 'is the archive itself');
    if (needs.some((each, index) => index > 0 && each.version <= (needs[index - 1]?.version ?? 0)))
      fault('needs', 'is not in order of versions');
    const own = needs.at(-1);
    if (own?.version !== version || own.key !== archive.key)
      fault('needs', 'does not end with its own archive');
    if (new Set(needs.map(({ key }) => key)).size < needs.length) fault('needs', 'has an archive twice');
    if (type === 'full' && (needs.length > 1 || base !== undefined))
      fault('needs', 'has other archives, though the backup is a full one');
    if (type === 'incremental' && (base === undefined || base >= version))
      fault('base', 'is no earlier backup');
  });

const mark = z.object({
  name: key,
  version,
  reason: text.min(1),
  marked: time,
  by: text,
});

const jobObject = z.object({
  format: z.literal(MANIFEST_FORMAT),
  job: text,
  jobId: z.uuid(),
  machine: text,
  since: time,
});

/** JSON that people can read, with times as they are written in ISO 8601. */
export function encodeManifest({ startedMs, finishedMs, ...rest }: Manifest): Buffer {
  return encode({ ...rest, started: iso(startedMs), finished: iso(finishedMs) });
}

/** @throws IsyncError BACKUP_DAMAGED, VERSION_UNSUPPORTED */
export function decodeManifest(bytes: Uint8Array, path: string): Manifest {
  const { started, finished, base, ...rest } = decode(manifest, bytes, path, 'manifest');
  return { ...rest, startedMs: started, finishedMs: finished, base };
}

export function encodeMark({ markedMs, ...rest }: Mark): Buffer {
  return encode({ ...rest, marked: iso(markedMs) });
}

/** @throws IsyncError BACKUP_DAMAGED */
export function decodeMark(bytes: Uint8Array, path: string): Mark {
  const { marked, ...rest } = decode(mark, bytes, path, 'mark');
  return { ...rest, markedMs: marked };
}

export function encodeJobObject({ sinceMs, ...rest }: JobObject): Buffer {
  return encode({ ...rest, since: iso(sinceMs) });
}

/** @throws IsyncError BACKUP_DAMAGED, VERSION_UNSUPPORTED */
export function decodeJobObject(bytes: Uint8Array, path: string): JobObject {
  const { since, ...rest } = decode(jobObject, bytes, path, 'job object');
  return { ...rest, sinceMs: since };
}

function encode(content: object): Buffer {
  return Buffer.from(`${JSON.stringify(content, undefined, 1)}\n`);
}

function decode<T>(schema: z.ZodType<T>, bytes: Uint8Array, path: string, what: string): T {
  const damaged = (why: string): IsyncError =>
    new IsyncError('BACKUP_DAMAGED', `the ${what} of a backup can't be read: ${why}`, { path });
  if (bytes.length > MAX_MANIFEST_BYTES) throw damaged(`it is longer than ${MAX_MANIFEST_BYTES} bytes`);
  let given: unknown;
  try {
    given = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    throw damaged('it is no JSON');
  }
  const { format } = z.object({ format: z.number().optional() }).catch({}).parse(given);
  if (format !== undefined && format > MANIFEST_FORMAT)
    throw new IsyncError('VERSION_UNSUPPORTED', `the ${what} is of a newer isync (format ${format})`, {
      path,
    });
  const found = schema.safeParse(given);
  if (found.success) return found.data;
  const [issue] = found.error.issues;
  throw damaged(`"${issue?.path.join('.') ?? ''}" ${issue?.message ?? ''}`);
}

function isOneName(text: string): boolean {
  return !/[/\\\0]/.test(text) && text !== '.' && text !== '..' && text.isWellFormed();
}

function isTimezone(text: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: text }).resolvedOptions().timeZone !== '';
  } catch {
    return false;
  }
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
