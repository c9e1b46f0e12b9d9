import { answerIn, isNoSuchKey, nameOf, statusOf } from './errors.ts';
import { headerOf, isStoresOwn } from './own-answer.ts';

/** Why the object store gives no object, where its own words tell that. */
export type Refusal =
  /** There is none: never put, removed, expired, or hidden by a delete marker. */
  | 'no such key'
  /** We may not know whether there is one: it is missing, and listing is not allowed. */
  | 'may not list'
  /** Reading is not allowed; or there is none, and that is all that S3 tells to those who may not list. */
  | 'denied'
  /** The key of the encryption may not be used, or can't be. */
  | 'no encryption key'
  /** Encrypted with a key that each request must bring (SSE-C). */
  | 'customer key'
  /** In an archive: to be restored before it can be read. */
  | 'archived';

/**
 * What the object store says of the object with the answer to a GET; undefined for everything else: trouble with the bucket,
 * the credentials or the network, and what something that is no object store answers.
 * @param error what the request rejected with
 */
export function refusalOf(error: unknown): Refusal | undefined {
  if (isNoSuchKey(error)) return 'no such key';
  const answer = answerIn(error);
  if (!isStoresOwn(answer)) return undefined;
  const [name, status] = [nameOf(answer), statusOf(answer)];
  const words = answer instanceof Error ? answer.message : '';
  if (name === 'InvalidObjectState') return 'archived';
  if (name.startsWith('KMS.')) return 'no encryption key';
  if (name === 'InvalidRequest' && status === 400 && /server.side encryption/i.test(words))
    return 'customer key';
  if (status !== 403 || (name !== 'AccessDenied' && name !== 'AllAccessDisabled')) return undefined;
  if (/\bkms:|\bKMS\b/.test(words)) return 'no encryption key';
  // "User: … is not authorized to perform: s3:ListBucket on resource: …", where a key may be anything.
  return / to perform: (\S+)/.exec(words)?.[1] === 's3:ListBucket' ? 'may not list' : 'denied';
}

/**
 * The region of the bucket, where the answer says that the request went to another one.
 * https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingRouting.html
 */
export function regionIn(error: unknown): string | undefined {
  const answer = answerIn(error);
  const status = statusOf(answer);
  if (!(answer instanceof Error) || (status !== 301 && status !== 307 && status !== 400)) return undefined;
  if (
    status === 400 &&
    !/^(AuthorizationHeaderMalformed|IllegalLocationConstraintException)$/.test(answer.name)
  )
    return undefined;
  const header = headerOf(answer, 'x-amz-bucket-region');
  const inBody = 'Region' in answer && typeof answer.Region === 'string' ? answer.Region : undefined;
  const region = header ?? inBody;
  return region !== undefined && isRegion(region) ? region : undefined;
}

/** Whether `text` could name a region, of any partition: it becomes part of a host name. */
export function isRegion(text: string): boolean {
  return /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/.test(text);
}
