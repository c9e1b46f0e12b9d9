import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { errnoOf, IsyncError, isErrorCode } from '../../model/isync-error.ts';
import type { ParkedRecord } from './parking.ts';

/** Largest file of a record, in bytes: a body of 1 MiB whose every character is escaped, and some room. */
const MAX_RECORD_BYTES = 8 * 1024 * 1024;
/** Hexadecimal digits of an id, which people type, and of what stands for a key, which strangers choose. */
const ID_DIGITS = 16;
const KEY_DIGITS = 32;

/** `20261126T030103123Z-ID-KEY.json`: sorted by name, the oldest is the first, and no file is read to know its key. */
const NAME = new RegExp(`^(\\d{8}T\\d{9}Z)-([0-9a-f]{${ID_DIGITS}})-([0-9a-f]{${KEY_DIGITS}}|none)\\.json$`);

export interface RecordName {
  readonly name: string;
  readonly id: string;
  /** Undefined for a record without a key. */
  readonly keyId: string | undefined;
}

export function parseRecordName(name: string): RecordName | undefined {
  const [, , id, keyId] = NAME.exec(name) ?? [];
  return id === undefined ? undefined : { name, id, keyId: keyId === 'none' ? undefined : keyId };
}

/** @param at ISO 8601 */
export function recordName(at: string, id: string, keyId: string | undefined): RecordName {
  return { name: `${at.replaceAll(/[-:.]/g, '')}-${id}-${keyId ?? 'none'}.json`, id, keyId };
}

/** When the record of this name was parked, ISO 8601. */
export function timeOf({ name }: RecordName): string {
  return name.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)(\d{3})Z.*$/, '$1-$2-$3T$4:$5:$6.$7Z');
}

/** The same for the same message and body. */
export function recordId({ messageId, body }: Pick<ParkedRecord, 'messageId' | 'body'>): string {
  return hashOf([messageId, body], ID_DIGITS);
}

export function keyIdOf(bucket: string | undefined, key: string | undefined): string | undefined {
  return bucket === undefined || key === undefined ? undefined : hashOf([bucket, key], KEY_DIGITS);
}

function hashOf(texts: readonly string[], digits: number): string {
  return createHash('sha256').update(JSON.stringify(texts)).digest('hex').slice(0, digits);
}

/** @throws IsyncError FILE_TOO_LARGE */
export function encodeRecord(record: ParkedRecord): Buffer {
  const bytes = Buffer.from(`${JSON.stringify(record, undefined, 2)}\n`);
  if (bytes.length <= MAX_RECORD_BYTES) return bytes;
  throw new IsyncError('FILE_TOO_LARGE', `the record has more than ${MAX_RECORD_BYTES} bytes`);
}

const text = z.string();
const schema = z.object({
  at: text,
  messageId: text,
  code: text,
  reason: text,
  hint: text.optional(),
  bucket: text.optional(),
  key: text.optional(),
  body: text,
});

/**
 * Reads a record; undefined where it is there no more.
 * @throws IsyncError FILE_UNREADABLE where it can't be read, or is none
 */
export async function readRecord(
  folder: string,
  { name, id }: RecordName,
): Promise<ParkedRecord | undefined> {
  const path = join(folder, name);
  const bytes = await readBounded(path);
  if (bytes === undefined) return undefined;
  const parsed = schema.safeParse(parseJson(bytes.toString('utf8')));
  if (!parsed.success || recordId(parsed.data) !== id)
    throw new IsyncError('FILE_UNREADABLE', 'this is no parked record', { path });
  const { at, messageId, code, reason, hint, bucket, key, body } = parsed.data;
  // A newer isync may know more codes.
  return { id, at, messageId, code: isErrorCode(code) ? code : 'INTERNAL', reason, hint, bucket, key, body };
}

async function readBounded(path: string): Promise<Buffer | undefined> {
  try {
    // Without O_NONBLOCK, opening a pipe waits for who writes to it.
    await using file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    const stat = await file.stat();
    if (!stat.isFile() || stat.size > MAX_RECORD_BYTES)
      throw new IsyncError('FILE_UNREADABLE', 'this is no parked record', { path });
    return await file.readFile();
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === 'ENOENT') return undefined;
    if (error instanceof IsyncError) throw error;
    const message = `the parked record can't be read (${errno ?? String(error)})`;
    throw new IsyncError('FILE_UNREADABLE', message, { path, cause: error });
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // What is no JSON is no record either.
    return undefined;
  }
}
