import type { ObjectContent } from '../../s3/content.ts';
import { isNoSuchKey } from '../../s3/errors.ts';
import { IsyncError } from '../../model/isync-error.ts';
import { getRange, type RangeOptions } from '../../s3/look.ts';
import type { Bucket } from '../../s3/requests.ts';

/** Some bytes of just one version. Rejects with FILE_CHANGED where it has been replaced, and also where the object is gone by now. */
export async function getRangeOf(bucket: Bucket, key: string, options: RangeOptions): Promise<ObjectContent> {
  try {
    return await getRange(bucket, key, options);
  } catch (error) {
    if (!isNoSuchKey(error)) throw error;
    throw new IsyncError('FILE_CHANGED', 'the object was removed meanwhile', {
      retryable: true,
      cause: error,
    });
  }
}
