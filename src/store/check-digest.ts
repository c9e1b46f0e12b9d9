import { digestOf } from '../model/digest.ts';
import type { FileEntry } from '../model/file-entry.ts';
import { IsyncError } from '../model/isync-error.ts';
import type { FileDigest } from './store.ts';

/** @throws IsyncError DIGEST_MISMATCH unless `bytes` are all of `file` and have this digest */
export function checkContent(file: FileEntry, bytes: Uint8Array, digest: FileDigest): void {
  checkDigest(file, bytes.length, digestOf(digest.algorithm, bytes), digest.value);
}

/**
 * @param arrived how many bytes of the file there are
 * @throws IsyncError DIGEST_MISMATCH unless all of the file has arrived and has the digest `expected`
 */
export function checkDigest(
  file: FileEntry,
  arrived: number,
  actual: Uint8Array,
  expected: Uint8Array,
): void {
  if (arrived !== file.size)
    throw mismatch(file, `${arrived} bytes arrived where ${file.size} were announced`);
  if (Buffer.compare(actual, expected) !== 0)
    throw mismatch(file, 'the bytes that arrived have another digest');
}

/** Retryable: the bytes were damaged on their way, or the file was written to while it was read. */
function mismatch(file: FileEntry, message: string): IsyncError {
  return new IsyncError('DIGEST_MISMATCH', message, { path: file.path });
}
