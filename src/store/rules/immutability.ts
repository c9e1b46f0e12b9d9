import type { DigestAlgorithm } from '../../model/digest.ts';
import type { FileEntry } from '../../model/file-entry.ts';
import { IsyncError } from '../../model/isync-error.ts';
import type { RelPath } from '../../model/rel-path.ts';
import type { FileDigest } from '../store.ts';

/**
 * The rule of an immutable store: a file once kept is never replaced by other content, and never removed. These functions
 * judge. They are called by the file store, which gives names by link(2) and so replaces nothing even when two processes
 * publish at once, and by withImmutable for stores that have no such call.
 */

/**
 * Whether the incoming content is kept already, so that there is nothing to do.
 * @param digestKept the kept bytes' digest; undefined where they are gone by now
 * @throws IsyncError IMMUTABLE when other content is kept
 */
export async function isKeptAlready(
  kept: Pick<FileEntry, 'size'> | undefined,
  file: FileEntry,
  { algorithm, value }: FileDigest,
  digestKept: (algorithm: DigestAlgorithm) => Promise<Buffer | undefined>,
): Promise<boolean> {
  if (kept === undefined) return false;
  refuseOtherSize(kept, file);
  const digest = await digestKept(algorithm);
  if (digest === undefined || Buffer.compare(digest, value) !== 0) throw keptDifferent(file.path);
  return true;
}

/**
 * The same for an upload that is to begin, before any of its bytes have come.
 * @throws IsyncError IMMUTABLE where it has another size than the kept file
 */
export function refuseOtherSize(kept: Pick<FileEntry, 'size'> | undefined, file: FileEntry): void {
  if (kept !== undefined && kept.size !== file.size) throw keptDifferent(file.path);
}

/** @throws IsyncError IMMUTABLE where a file is kept */
export function refuseRemoval(kept: FileEntry | undefined): void {
  if (kept !== undefined)
    throw new IsyncError('IMMUTABLE', 'kept for good, not to be removed', { path: kept.path });
}

function keptDifferent(path: RelPath): IsyncError {
  return new IsyncError('IMMUTABLE', 'kept already with different content', { path });
}
