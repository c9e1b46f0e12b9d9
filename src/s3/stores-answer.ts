import { randomBytes } from 'node:crypto';
import { type GetObjectCommandOutput, HeadObjectCommand } from '@aws-sdk/client-s3';
import { foreignAnswer, s3Error, statusOf } from './errors.ts';
import type { Bucket, RequestOptions } from './requests.ts';

type Answer = Pick<GetObjectCommandOutput, '$metadata' | 'ETag' | 'LastModified' | 'ContentType'>;

/** Those whose answers have names, as those of AWS and most servers like it have. Garage's have none. */
const naming = new WeakSet<Bucket>();

const PAGE = /^\s*(?:text\/html|application\/xhtml\+xml)\b/i;

/**
 * Checks that an answer with 200 to a GET or HEAD of a key is of an object. What stands between us and the store, as the page of a
 * network that wants a login, may have all that an object has; but it has no name of the request, and answers whatever is asked for.
 * @throws IsyncError UNREACHABLE, retryable, where it is of something else; and as every request does
 */
export async function checkIsStores(bucket: Bucket, answer: Answer, request: RequestOptions): Promise<void> {
  const { $metadata, ETag = '', LastModified, ContentType = '' } = answer;
  const isNamed = $metadata.requestId !== undefined || $metadata.extendedRequestId !== undefined;
  if (isNamed) naming.add(bucket);
  const isObjects = ETag !== '' && LastModified !== undefined;
  if (isObjects && isNamed) return;
  const isPage = PAGE.test(ContentType);
  if (isObjects && !naming.has(bucket) && !(isPage && (await answersAnything(bucket, request)))) return;
  throw s3Error(foreignAnswer(answer), bucket.where, request.path);
}

/** Whether there is an object of a name that nobody can have thought of. */
async function answersAnything(bucket: Bucket, request: RequestOptions): Promise<boolean> {
  const Key = `isync-${randomBytes(16).toString('hex')}`;
  return await bucket.send(request, async (client, sending) => {
    try {
      await client.send(new HeadObjectCommand({ Bucket: bucket.name, Key }), sending);
      return true;
    } catch (error) {
      if (statusOf(error) === 404 || statusOf(error) === 403) return false;
      throw error;
    }
  });
}
