import { errnoOf, IsyncError } from '../model/isync-error.ts';
import type { RelPath } from '../model/rel-path.ts';
import { type Refusal, refusalOf } from '../s3/refusals.ts';

/** Errors of a read that are of one file alone: others may be readable. */

/** What keeps us from an object, and what to do about it. */
const MEANINGS: Readonly<Record<Exclude<Refusal, 'no such key'>, string>> = {
  archived: 'it is in an archive of the bucket: restore it there, then run this again',
  'no encryption key':
    "the key that it is encrypted with can't be used: allow kms:Decrypt, and see that the key is enabled",
  'customer key': 'it is encrypted with a key that each request must bring (SSE-C), which isync has not',
  denied: 'the bucket refuses to give it: allow s3:GetObject for it',
  'may not list': 'the bucket does not tell whether it is still there: allow s3:ListBucket',
};

/**
 * The error of this file alone where the object store itself says that it does not give this object: others it may give, and trying
 * again does not help. Undefined for every other error, as of the credentials.
 */
export function refusedObject(error: unknown, path: RelPath): IsyncError | undefined {
  const refusal = refusalOf(error);
  if (refusal === undefined || refusal === 'no such key') return undefined;
  const words = error instanceof Error ? error.message : String(error);
  return new IsyncError('FILE_UNREADABLE', `${MEANINGS[refusal]} (${words})`, { path, cause: error });
}

/** Whether the file system that is read has an error for this file, such as of its permissions. */
export function isOfDisk(error: unknown): boolean {
  if (!(error instanceof IsyncError)) return false;
  const { code, cause } = error;
  return (
    code === 'STORE_FAILED' && cause instanceof Error && 'syscall' in cause && errnoOf(cause) !== undefined
  );
}
