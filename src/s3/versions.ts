import { DeleteObjectCommand, HeadObjectCommand } from '@aws-sdk/client-s3';
import type { Bucket, RequestOptions } from './requests.ts';

/** The newest version of an object, undefined in it where the bucket keeps no versions; undefined where there is no object. */
export async function newestVersion(
  bucket: Bucket,
  key: string,
  request: RequestOptions = {},
): Promise<{ readonly versionId: string | undefined } | undefined> {
  const command = new HeadObjectCommand({ Bucket: bucket.name, Key: key });
  const found = await bucket.sendUnlessAbsent(request, (client, sending) => client.send(command, sending));
  return found && { versionId: found.VersionId };
}

/**
 * Removes one version for good, and the object where it has no versions. One that is gone already is fine. Returns the version of the delete
 * marker that a bucket with versions has made instead, because none was named.
 */
export async function removeVersion(
  bucket: Bucket,
  key: string,
  versionId: string | undefined,
  request: RequestOptions = {},
): Promise<string | undefined> {
  const command = new DeleteObjectCommand({ Bucket: bucket.name, Key: key, VersionId: versionId });
  const done = await bucket.sendUnlessAbsent(request, (client, sending) => client.send(command, sending));
  return versionId === undefined && done?.DeleteMarker === true ? done.VersionId : undefined;
}
