import { IsyncError } from '../../model/isync-error.ts';
import type { TargetObject } from './target.ts';

/**
 * What an upload has become, once it must be there.
 * @param found the object there is now
 * @param cause why it may not be
 * @throws IsyncError MISSING, DIGEST_MISMATCH where its size is another
 */
export function madeObject(
  found: TargetObject | undefined,
  key: string,
  size: number,
  cause?: unknown,
): TargetObject {
  if (found === undefined)
    throw new IsyncError('MISSING', 'neither the upload nor its object is there', { path: key, cause });
  if (found.size === size) return found;
  throw new IsyncError('DIGEST_MISMATCH', `of ${size} bytes that were sent, ${found.size} are there`, {
    path: key,
    retryable: false,
  });
}
