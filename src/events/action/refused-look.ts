import { IsyncError } from '../../model/isync-error.ts';
import type { Refusal } from '../../s3/refusals.ts';
import type { ObjectEvent } from '../object-event.ts';
import type { Outcome } from './outcome.ts';
import { parked } from './parked.ts';

/** What an answer without an object means to whoever looks because of an event. */
export type RefusedLook =
  /** Certainly: there is no such object. */
  | { readonly kind: 'gone' }
  /**
   * That it was removed nobody says but the event, which may be an older one. `isMissing`: S3 says that there is no object now;
   * else its answer is the same for one that we may not read.
   */
  | { readonly kind: 'told'; readonly isMissing: boolean }
  | { readonly kind: 'done'; readonly outcome: Outcome };

/**
 * @param error what the request rejected with
 * @throws IsyncError STORE_REFUSED, not retryable, where a permission is missing
 */
export function readRefusal(
  refusal: Refusal,
  error: unknown,
  { event, isLastLook }: { readonly event: Pick<ObjectEvent, 'kind'>; readonly isLastLook: boolean },
): RefusedLook {
  const isRemoved = event.kind === 'removed';
  switch (refusal) {
    case 'no such key':
      return isRemoved || isLastLook ? { kind: 'gone' } : MISSING;
    case 'may not list':
      if (isRemoved) return { kind: 'told', isMissing: true };
      // The event of its removal is the one to act on.
      return isLastLook ? UNCHANGED : MISSING;
    case 'denied':
      if (isRemoved) return { kind: 'told', isMissing: false };
      throw refused(error, GRANT_READ);
    case 'no encryption key':
      throw refused(error, GRANT_KEY);
    case 'archived':
      return {
        kind: 'done',
        outcome: parked('FILE_UNREADABLE', 'archived: the object must be restored first', RESTORE),
      };
    case 'customer key':
      return {
        kind: 'done',
        outcome: parked('FILE_UNREADABLE', 'encrypted with a key of the customer (SSE-C)', COPY),
      };
  }
}

/** The same error, for somebody who is to grant something. */
export function refused(error: unknown, hint: string): IsyncError {
  const { message, path } = error instanceof IsyncError ? error : { message: String(error), path: undefined };
  return new IsyncError('STORE_REFUSED', message, { path, hint, retryable: false, cause: error });
}

const MISSING: RefusedLook = { kind: 'done', outcome: { outcome: 'missing' } };
const UNCHANGED: RefusedLook = { kind: 'done', outcome: { outcome: 'unchanged' } };

export const GRANT_READ =
  'Grant s3:GetObject on the keys, and s3:ListBucket on the bucket: without that one S3 answers a missing key with 403.';
const GRANT_KEY =
  'Grant kms:Decrypt on the key of KMS that the object is encrypted with, and see that the key is enabled.';
const RESTORE = 'Restore it (RestoreObject): the event ObjectRestore:Completed brings it here.';
const COPY = 'Copy the object onto itself with another encryption: isync has no key of customers.';
