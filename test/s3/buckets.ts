import { createHash } from 'node:crypto';
import { onTestFinished } from 'vitest';
import type { S3Access } from '../../src/s3/access.ts';
import { type Body, getObject, type GetOptions } from '../../src/s3/objects.ts';
import { Bucket, type BucketOptions } from '../../src/s3/requests.ts';
import type { S3Server } from '../../harness/s3-server.ts';

/** The smallest part that servers take. */
export const SMALL_PART = 5 * 1024 * 1024;

/** A bucket of the test's server; its connections are closed after the test. */
export function bucketAt(
  server: S3Server,
  access: Pick<S3Access, 'bucket'> & Partial<S3Access>,
  options?: BucketOptions,
): Bucket {
  const { endpoint, credentials } = server;
  const bucket = new Bucket({ endpoint, credentials, ...access }, options);
  onTestFinished(() => bucket[Symbol.dispose]());
  return bucket;
}

export function bodyOf(content: Uint8Array | string): Body {
  const bytes = Buffer.from(content);
  return { bytes, md5: createHash('md5').update(bytes).digest('base64') };
}

export async function contentOf(
  bucket: Bucket,
  key: string,
  options?: GetOptions,
): Promise<Buffer | undefined> {
  using found = await getObject(bucket, key, options);
  return found && Buffer.concat(await all(found.bytes));
}

export async function all<T>(listed: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const each of listed) found.push(each);
  return found;
}
