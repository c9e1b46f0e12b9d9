import type { Limiter } from '../flow/limiter.ts';
import { createDigester, type DigestAlgorithm, digestOf } from '../model/digest.ts';
import { factsOf } from '../model/error-table.ts';
import { type FileEntry, sameVersion } from '../model/file-entry.ts';
import { errnoOf, IsyncError } from '../model/isync-error.ts';
import { WATCH_MARKER } from '../model/markers.ts';
import { nameOf, type RelPath } from '../model/rel-path.ts';
import { CHECKED, type ContentChecks, type LocalStore } from '../store/file/local-store.ts';
import { readDigest } from '../store/read-digest.ts';
import { replaced } from '../store/store-errors.ts';
import type { FileDigest, StoredFile, Upload } from '../store/store.ts';
import type { Reader } from '../store/reader.ts';
import type { PutBatches } from './put-batches.ts';

/** Largest file in bytes that is held in memory as a whole. */
export const SMALL_BYTES = 256 * 1024;
/** Size in bytes from which a file goes on where an earlier run ended: a smaller one is sooner read than looked for. */
const RESUMED_BYTES = 4 * 1024 * 1024;
/** Of bytes with which no digest is kept. */
const ALGORITHM: DigestAlgorithm = 'xxh64';

/** What a file is brought with. */
export interface FetchContext {
  readonly reader: Reader;
  readonly into: LocalStore;
  /** Of `into`, for files that are held in memory as a whole. */
  readonly puts: PutBatches;
  readonly overwrite: boolean;
  readonly signal: AbortSignal;
  /** Bounds the files that are brought in pieces, or compared by their bytes while they are larger than SMALL_BYTES. */
  readonly large: Limiter;
  /** Ends it all: where files go has failed, and no other file would fare better. */
  readonly stop: (error: IsyncError) => void;
  /** Called with each count of bytes that have come. Must not throw. */
  readonly onMoved: (bytes: number) => void;
}

/**
 * Brings one file, or finds that it is here already: the same size and mtime, or the same bytes. Resolves once it is durable, checked
 * by the digest that is kept with it, where there is one.
 * @throws IsyncError NOT_OVERWRITTEN where another one is here, unless told to overwrite; FILE_VANISHED; of reader or store; the
 *   reason of the signal
 */
export async function fetchFile(listed: FileEntry, context: FetchContext): Promise<'fetched' | 'there'> {
  const { reader, into, overwrite, signal } = context;
  const { path } = listed;
  if (nameOf(path) === WATCH_MARKER)
    throw new IsyncError('BAD_PATH', 'never fetched: a scan would take the directory for sealed', { path });
  const here = await within(context, () => into.stat(path, { signal }));
  if (here !== undefined && reader.listedMtime && sameVersion(here, listed))
    return await settled(path, context);
  if (here !== undefined) {
    // None of its bytes: most that are here are the same.
    const kept = await readFile(path, 0, context);
    if (sameVersion(here, kept.entry)) return await settled(path, context);
    if (!overwrite) {
      const compare = () => isSame(here, kept, context);
      const same = here.size > SMALL_BYTES ? await context.large.run(compare) : await compare();
      if (same) return await settled(path, context);
      throw new IsyncError('NOT_OVERWRITTEN', 'another version is here already', { path });
    }
  }
  if (listed.size > SMALL_BYTES || !(await copySmall(listed, context)))
    await context.large.run(async () => copyInPieces(await readFile(path, undefined, context), context));
  return 'fetched';
}

/** Whether that was all of the file: it may have grown since it was listed. */
async function copySmall({ path, size }: FileEntry, context: FetchContext): Promise<boolean> {
  const found = await readFile(path, size, context, { reuse: false });
  if (found.entry.size > size) return false;
  await copyWhole(found, context);
  return true;
}

/** The version that is kept, with at most `length` of its bytes. */
async function readFile(
  path: RelPath,
  length: number | undefined,
  { reader, signal }: FetchContext,
  { reuse = true } = {},
): Promise<StoredFile> {
  const found = await reader.read(path, { length, signal, reuse });
  if (found === undefined) throw new IsyncError('FILE_VANISHED', 'it was removed meanwhile', { path });
  return found;
}

/** Makes durable what is here already: whoever has put it there, as cp or a run that was killed, need not have done so. */
async function settled(path: RelPath, context: FetchContext): Promise<'there'> {
  await within(context, async () => {
    try {
      await context.into.settle(path);
    } catch (error) {
      throw notPermitted(error, path) ?? error;
    }
  });
  return 'there';
}

/** The error of this file alone where it may not be opened: others may. */
function notPermitted(error: unknown, path: RelPath): IsyncError | undefined {
  const cause = error instanceof IsyncError ? error.cause : undefined;
  if (!(cause instanceof Error) || !['EACCES', 'EPERM'].includes(errnoOf(cause) ?? '')) return undefined;
  return new IsyncError('FILE_UNREADABLE', `it is here, and can't be made durable (${cause.message})`, {
    path,
    hint: 'Run isync as a user that may read what is there.',
    cause: error,
  });
}

/** Whether the file that is here has the bytes of the kept one, whatever its mtime: file systems round it. */
async function isSame(
  here: FileEntry,
  kept: StoredFile,
  { reader, into, signal }: FetchContext,
): Promise<boolean> {
  if (here.size !== kept.entry.size) return false;
  const algorithm = kept.digest?.algorithm ?? ALGORITHM;
  const mine = await readDigest(into, here.path, algorithm, { signal });
  const theirs = kept.digest?.value ?? (await readDigest(reader, here.path, algorithm, { signal }))?.digest;
  return mine !== undefined && theirs !== undefined && mine.digest.equals(theirs);
}

async function copyWhole(
  { entry, digest, bytes, content: read }: StoredFile,
  context: FetchContext,
): Promise<void> {
  const content = read?.length === entry.size ? read : await all(bytes, entry);
  context.onMoved(content.length);
  const expected = digest ?? { algorithm: ALGORITHM, value: digestOf(ALGORITHM, content) };
  await within(context, () => context.puts.put(entry, content, expected));
}

/** The one piece as it is, or a copy of all. @throws IsyncError FILE_CHANGED where there are more or less bytes than the file has */
async function all(bytes: StoredFile['bytes'], { path, size }: FileEntry): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  let length = 0;
  for await (const piece of bytes) {
    length += piece.length;
    if (length > size) throw replaced(path);
    pieces.push(piece);
  }
  if (length < size) throw replaced(path);
  const [first] = pieces;
  return first !== undefined && pieces.length === 1 ? first : Buffer.concat(pieces, size);
}

async function copyInPieces(found: StoredFile, context: FetchContext): Promise<void> {
  const { into, signal } = context;
  const { entry, digest, version } = found;
  const upload = await within(context, () =>
    into.begin(entry, {
      algorithm: digest?.algorithm ?? ALGORITHM,
      // Where neither tells versions apart, two of the same size and mtime could be joined.
      resume: entry.size >= RESUMED_BYTES && (version ?? digest) !== undefined,
      version,
      replaceDamaged: true,
      signal,
      checks: checksOf(entry.path, digest),
    }),
  );
  try {
    for await (const piece of await bytesFrom(upload.offset, found, context)) {
      signal.throwIfAborted();
      if (upload.offset + piece.length > entry.size) throw replaced(entry.path);
      await within(context, () => upload.write(piece));
      context.onMoved(piece.length);
    }
    if (upload.offset < entry.size) throw replaced(entry.path);
    await within(context, () => upload.commit(CHECKED));
  } catch (error) {
    await end(upload, signal.aborted || (error instanceof IsyncError && error.retryable));
    throw error;
  }
}

async function end(upload: Upload, isKept: boolean): Promise<void> {
  await (isKept ? upload.suspend() : upload.abort());
}

/** The bytes of the version of `found` that are still missing. */
async function bytesFrom(
  start: number,
  found: StoredFile,
  { reader, signal }: FetchContext,
): Promise<AsyncIterable<Uint8Array>> {
  if (start === 0) return found.bytes;
  const { path } = found.entry;
  const rest = await reader.read(path, { start, signal, reuse: true });
  if (rest === undefined || !sameVersion(rest.entry, found.entry) || rest.version !== found.version)
    throw replaced(path);
  return rest.bytes;
}

/**
 * Compares the bytes with the digest that is kept with them. Where none is, those of an earlier run count by the version that they were
 * read of.
 */
function checksOf(path: RelPath, digest: FileDigest | undefined): ContentChecks {
  if (digest === undefined) return { update: () => {}, check: () => {} };
  const digester = createDigester(digest.algorithm);
  return {
    update: (bytes) => digester.update(bytes),
    check() {
      if (digester.digest().equals(digest.value)) return;
      throw new IsyncError('DIGEST_MISMATCH', 'the bytes have another digest than is kept with them', {
        path,
      });
    },
  };
}

/** Runs a call of the place that files go to. */
async function within<T>({ stop }: Pick<FetchContext, 'stop'>, call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    if (error instanceof IsyncError && factsOf(error.code).concerns !== 'item') stop(ofDestination(error));
    throw error;
  }
}

function ofDestination(error: IsyncError): IsyncError {
  if (error.code !== 'STORE_FULL') return error;
  const hint = 'Make room, then run it again: it goes on with what is missing.';
  return new IsyncError('STORE_FULL', 'there is no room left where the files go', {
    path: error.path,
    hint,
    cause: error,
  });
}
