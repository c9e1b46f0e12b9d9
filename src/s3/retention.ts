import { GetObjectRetentionCommand, PutObjectRetentionCommand } from '@aws-sdk/client-s3';
import { answerIn, isAbsent, nameOf, statusOf } from './errors.ts';
import type { Bucket, RequestOptions } from './requests.ts';

/** Until when an object may not be removed: https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock.html */
export interface Retention {
  readonly mode: 'governance' | 'compliance';
  /** In ms since the epoch; servers keep whole seconds. */
  readonly untilMs: number;
}

/** Answers for an object, or a bucket, without a lock: of AWS, and of Ceph. */
const NO_LOCK: ReadonlySet<string> = new Set([
  'NoSuchObjectLockConfiguration',
  'ObjectLockConfigurationNotFoundError',
  'InvalidRequest',
]);

/** Of the newest version of an object; undefined where it has none, or is not there. */
export async function getRetention(
  bucket: Bucket,
  key: string,
  request: RequestOptions = {},
): Promise<Retention | undefined> {
  const command = new GetObjectRetentionCommand({ Bucket: bucket.name, Key: key });
  const found = await bucket.send(request, async (client, sending) => {
    try {
      return await client.send(command, sending);
    } catch (error) {
      if (isAbsent(error) || hasNoLock(error)) return undefined;
      throw error;
    }
  });
  const { Mode, RetainUntilDate } = found?.Retention ?? {};
  if (RetainUntilDate === undefined) return undefined;
  return { mode: Mode === 'COMPLIANCE' ? 'compliance' : 'governance', untilMs: RetainUntilDate.getTime() };
}

/** Locks the newest version of an object. Servers refuse to shorten a lock. */
export async function putRetention(
  bucket: Bucket,
  key: string,
  { mode, untilMs }: Retention,
  request: RequestOptions = {},
): Promise<void> {
  const command = new PutObjectRetentionCommand({
    Bucket: bucket.name,
    Key: key,
    Retention: {
      Mode: lockMode(mode),
      RetainUntilDate: new Date(untilMs),
    },
  });
  await bucket.send(request, (client, sending) => client.send(command, sending));
}

/** The word of S3. */
export function lockMode(mode: Retention['mode']): 'GOVERNANCE' | 'COMPLIANCE' {
  return mode === 'compliance' ? 'COMPLIANCE' : 'GOVERNANCE';
}

/** Whether the server refuses a request for want of a permission, which a lock is too. */
export function isDenied(error: unknown): boolean {
  return statusOf(answerIn(error)) === 403;
}

function hasNoLock(error: unknown): boolean {
  return NO_LOCK.has(nameOf(error)) && (statusOf(error) ?? 0) < 500;
}
