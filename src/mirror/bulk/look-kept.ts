import { answerIn, statusOf } from '../../s3/errors.ts';
import { lookAtHead, type ObjectFacts } from '../../s3/look.ts';
import type { Bucket } from '../../s3/requests.ts';

/** What the bucket that is filled has under a key; undefined where it has nothing. @throws IsyncError */
export async function lookKept(
  { bucket, prefix }: { readonly bucket: Bucket; readonly prefix: string },
  key: string,
  signal?: AbortSignal,
): Promise<ObjectFacts | undefined> {
  try {
    return await lookAtHead(bucket, prefix + key, { signal, path: key });
  } catch (error) {
    if (statusOf(answerIn(error)) !== 404) throw error;
    return undefined;
  }
}
