import { digestOf } from '../../../model/digest.ts';
import type { FileEntry } from '../../../model/file-entry.ts';
import { IsyncError } from '../../../model/isync-error.ts';
import type { LookedAt } from '../../../s3/look.ts';
import { CHECKED, type LocalStore } from '../../../store/file/local-store.ts';
import type { Upload } from '../../../store/store.ts';
import { checksFor } from '../object-checks.ts';
import { type FetchRange, type RangeBuffers, readRanges } from './ranges.ts';

/** Up to this size an object is kept in memory until it is written at once: 32 at a time need 32 MiB. */
export const SMALL_BYTES = 1024 * 1024;
/** From this size on an object is read in ranges, which a later process can go on with. */
export const LARGE_BYTES = 64 * 1024 * 1024;

export interface WriteNeeds {
  readonly store: LocalStore;
  /** Reads some bytes of just this version. */
  readonly fetch: FetchRange;
  readonly buffers: RangeBuffers;
  /** Tells that a large object begins; resolves to whether bytes of just this version may be staged. */
  readonly mayResume: () => Promise<boolean>;
  /** Settled before anything gets its name. */
  readonly noted: Promise<void>;
  readonly signal: AbortSignal;
}

/**
 * Makes the object the file `entry`, whole and checked. Resolves when it is durable under its name; until then what was there
 * stays. The bucket is the truth: no rule about damage keeps what is here.
 * @throws IsyncError DIGEST_MISMATCH, not retryable, where the bytes are not those of the object, FILE_CHANGED where another
 * version has taken its place, and what the store and the bucket reject with
 */
export async function writeObject(object: LookedAt, entry: FileEntry, needs: WriteNeeds): Promise<void> {
  try {
    if (object.size <= SMALL_BYTES) await writeSmall(object, entry, needs);
    else if (object.size <= LARGE_BYTES) await writeStream(object, entry, needs);
    else await writeLarge(object, entry, needs);
  } catch (error) {
    throw error instanceof IsyncError && error.code === 'DIGEST_MISMATCH' ? forGood(error, entry) : error;
  }
}

async function writeSmall(
  object: LookedAt,
  entry: FileEntry,
  { store, noted, signal }: WriteNeeds,
): Promise<void> {
  const checks = await checksFor(object, false);
  const bytes = await wholeOf(object, entry);
  checks.update(bytes);
  checks.check();
  const value = digestOf('xxh64', bytes);
  await noted;
  signal.throwIfAborted();
  await store.put(entry, bytes, { algorithm: 'xxh64', value }, { replaceDamaged: true });
}

/** The one piece as it is, or a copy of all. Read to the end: what follows may say that it is not whole. */
async function wholeOf({ bytes, size }: LookedAt, entry: FileEntry): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  let filled = 0;
  for await (const piece of bytes) {
    filled += piece.length;
    if (filled > size) throw otherSize(entry);
    pieces.push(piece);
  }
  if (filled !== size) throw otherSize(entry);
  const [first] = pieces;
  return first !== undefined && pieces.length === 1 ? first : Buffer.concat(pieces, size);
}

async function writeStream(object: LookedAt, entry: FileEntry, needs: WriteNeeds): Promise<void> {
  const { store, noted, signal, buffers } = needs;
  const checks = await checksFor(object, false);
  const upload = await store.begin(entry, {
    algorithm: 'xxh64',
    checks,
    resume: false,
    replaceDamaged: true,
    signal,
  });
  try {
    await append(upload, object.bytes, (bytes) => buffers.scavenger.freed(bytes));
    await noted;
    await upload.commit(CHECKED);
  } catch (error) {
    await upload.abort();
    throw error;
  }
}

async function writeLarge(object: LookedAt, entry: FileEntry, needs: WriteNeeds): Promise<void> {
  const { store, signal, buffers, fetch, mayResume, noted } = needs;
  // Its bytes come in ranges instead.
  object[Symbol.dispose]();
  const checks = await checksFor(object, true);
  const resume = await mayResume();
  const upload = await store.begin(entry, {
    algorithm: 'xxh64',
    checks,
    resume,
    replaceDamaged: true,
    signal,
  });
  try {
    const { size } = object;
    await append(upload, readRanges({ start: upload.offset, size }, fetch, buffers, signal));
    await noted;
    await upload.commit(CHECKED);
  } catch (error) {
    // Of use again only where these very bytes are wanted again.
    const isOfUse = !(error instanceof IsyncError) || !USELESS.has(error.code);
    await (isOfUse ? upload.suspend() : upload.abort());
    throw error;
  }
}

const USELESS: ReadonlySet<string> = new Set(['DIGEST_MISMATCH', 'FILE_CHANGED']);

async function append(
  upload: Upload,
  bytes: AsyncIterable<Uint8Array>,
  freed?: (bytes: number) => void,
): Promise<void> {
  for await (const piece of bytes) {
    await upload.write(piece);
    freed?.(piece.length);
  }
}

/** Bytes that were damaged on their way are right at the next try. Where they never are, the tries must be counted to end. */
function forGood(error: IsyncError, { path }: FileEntry): IsyncError {
  return new IsyncError('DIGEST_MISMATCH', error.message, {
    path,
    retryable: false,
    cause: error.cause,
    hint: 'Compare the object with its source. A server whose ETags look like MD5 and are none can not be followed.',
  });
}

function otherSize({ path, size }: FileEntry): IsyncError {
  return new IsyncError('STORE_FAILED', `other bytes came than the ${size} that were announced`, {
    path,
    retryable: true,
  });
}
