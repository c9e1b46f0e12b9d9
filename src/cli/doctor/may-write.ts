import { abortUpload, startUpload } from '../../s3/multipart.ts';
import type { Bucket, RequestOptions } from '../../s3/requests.ts';
import { type Check, failure, ok } from './check.ts';

/** What an upload is begun for. It is thrown away at once, so that there never is such an object. */
const KEY = '.isync/doctor';

/** Begins an upload below `prefix` and throws it away: whether objects may be put, though none is. */
export async function checkMayPut(
  bucket: Bucket,
  prefix: string,
  name: string,
  request: RequestOptions,
): Promise<Check> {
  try {
    const upload = await startUpload(bucket, `${prefix}${KEY}`, {}, request);
    await abortUpload(bucket, upload, request);
    return ok(name, `objects may be put into ${bucket.where}`);
  } catch (error) {
    const check = failure(name, error);
    const needs = `It needs s3:PutObject and s3:AbortMultipartUpload on ${bucket.name}/${prefix}*.`;
    return { ...check, message: `objects can't be put: ${check.message}`, hint: check.hint ?? needs };
  }
}
