import { z } from 'zod';
import { IsyncError } from '../../model/isync-error.ts';
import type { FileRecord } from './file-record.ts';
import { isMemberPath, memberPathFault, type MemberPath } from './member-path.ts';

/** Longest line in bytes: two paths and the bytes of one, each character of them escaped by JSON. */
export const MAX_LINE_BYTES = 256 * 1024;
/** Longest target of a symlink in bytes: PATH_MAX. */
const MAX_TARGET_BYTES = 4096;
/** Longest name of an owner in characters: what useradd allows is shorter. */
const MAX_OWNER = 256;
/** Largest id of a user or group. */
const MAX_ID = 2 ** 32 - 2;
/** Times of every file system are shorter than this, in digits: 64 bits of nanoseconds have 19. */
const MAX_DIGITS = 20;

const path = z.string().transform((text, context): MemberPath => {
  if (isMemberPath(text)) return text;
  context.addIssue({ code: 'custom', message: memberPathFault(text) });
  return z.NEVER;
});
const integer = z
  .string()
  .regex(new RegExp(`^-?\\d{1,${MAX_DIGITS}}$`))
  .transform(BigInt);
const count = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER);
const id = z.number().int().min(0).max(MAX_ID);
const owner = z.string().min(1).max(MAX_OWNER).optional();

const base = {
  path,
  mode: z
    .string()
    .regex(/^[0-7]{4}$/)
    .transform((text) => Number.parseInt(text, 8)),
  uid: id,
  gid: id,
  user: owner,
  group: owner,
  mtimeNs: integer,
};

const record = z.discriminatedUnion('type', [
  z.strictObject({
    ...base,
    type: z.literal('file'),
    size: count,
    sha256: z.string().regex(/^[0-9a-f]{64}$/),
    archive: count.min(1),
    from: count,
    to: count,
    skip: count,
    seen: z.tuple([integer, integer, integer]).optional(),
    linkTo: path.optional(),
    torn: z.literal(true).optional(),
  }),
  z.strictObject({ ...base, type: z.literal('directory') }),
  z.strictObject({
    ...base,
    type: z.literal('symlink'),
    target: z
      .base64()
      .min(1)
      .transform((text) => Buffer.from(text, 'base64'))
      .refine((bytes) => bytes.length <= MAX_TARGET_BYTES && !bytes.includes(0)),
  }),
]);

/** A record as a line of a list, with its line feed. */
export function encodeRecord(record: FileRecord): string {
  const { path, mode, uid, gid, user, group, mtimeNs } = record;
  const common = {
    path,
    type: record.type,
    mode: mode.toString(8).padStart(4, '0'),
    uid,
    gid,
    user,
    group,
    mtimeNs: String(mtimeNs),
  };
  switch (record.type) {
    case 'directory':
      return `${JSON.stringify(common)}\n`;
    case 'symlink':
      return `${JSON.stringify({ ...common, target: Buffer.from(record.target).toString('base64') })}\n`;
    case 'file': {
      const { size, sha256, stored, seen, linkTo, isTorn: torn } = record;
      const times = seen && [String(seen.device), String(seen.inode), String(seen.ctimeNs)];
      return `${JSON.stringify({ ...common, size, sha256, ...stored, seen: times, linkTo, torn })}\n`;
    }
  }
}

/** @throws IsyncError BACKUP_DAMAGED */
export function decodeRecord(line: string): FileRecord {
  const found = record.safeParse(parsed(line));
  if (!found.success) {
    const [issue] = found.error.issues;
    throw invalid(`a record is wrong at "${issue?.path.join('.') ?? ''}": ${issue?.message ?? ''}`);
  }
  if (found.data.type !== 'file') return found.data;
  const { archive, from, to, skip, seen, torn: isTorn, ...file } = found.data;
  if (to < from) throw invalid('a record ends before it begins');
  if (file.size > 0 && to === from) throw invalid('a record of a file has no place');
  return {
    ...file,
    stored: { archive, from, to, skip },
    ...(seen && { seen: { device: seen[0], inode: seen[1], ctimeNs: seen[2] } }),
    ...(isTorn && { isTorn }),
  };
}

export function invalid(why: string): IsyncError {
  return new IsyncError('BACKUP_DAMAGED', `the file list of the backup can't be read: ${why}`);
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    throw invalid('a line is no JSON');
  }
}
