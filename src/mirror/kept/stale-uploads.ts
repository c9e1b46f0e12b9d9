import { abortUpload, listParts, listUploads } from '../../s3/multipart.ts';
import type { Bucket } from '../../s3/requests.ts';
import { isOurPart } from './fill-parts.ts';

/**
 * Aborts uploads of ours below `prefix` that began before `beforeMs` (since the epoch) and got no part since then. One that has no
 * part yet holds no bytes and could be anybody's: it is left to the life cycle of the bucket.
 */
export async function abortStaleUploads(
  bucket: Bucket,
  prefix: string,
  beforeMs: number,
  signal: AbortSignal,
): Promise<number> {
  let aborted = 0;
  for await (const { key, uploadId, startedMs } of listUploads(bucket, prefix, { signal })) {
    if (startedMs >= beforeMs) continue;
    const upload = { key, uploadId };
    let isOurs = false;
    let lastMs = startedMs;
    for await (const { size, modifiedMs } of listParts(bucket, upload, { signal })) {
      isOurs ||= isOurPart(size);
      lastMs = Math.max(lastMs, modifiedMs);
    }
    if (!isOurs || lastMs >= beforeMs) continue;
    await abortUpload(bucket, upload, { signal });
    aborted += 1;
  }
  return aborted;
}
