import type { ObjectContent } from '../../s3/content.ts';
import { isNoSuchKey } from '../../s3/errors.ts';
import { IsyncError } from '../../model/isync-error.ts';
import { getRange, type RangeOptions, readRange } from '../../s3/look.ts';
import type { Bucket } from '../../s3/requests.ts';

/** Some bytes of just one version. Rejects with FILE_CHANGED where it has been replaced, and also where the object is gone by now. */
export async function getRangeOf(bucket: Bucket, key: string, options: RangeOptions): Promise<ObjectContent> {
  return await getRange(bucket, key, options).catch(throwIfRemoved);
}

/** The same, into the beginning of `into`. See readRange. */
export async function readRangeOf(
  bucket: Bucket,
  key: string,
  into: Uint8Array,
  options: RangeOptions,
  passed: (bytes: number) => void,
): Promise<void> {
  await readRange(bucket, key, into, options, passed).catch(throwIfRemoved);
}

function throwIfRemoved(error: unknown): never {
  if (!isNoSuchKey(error)) throw error;
  throw new IsyncError('FILE_CHANGED', 'the object was removed meanwhile', {
    retryable: true,
    cause: error,
  });
}
