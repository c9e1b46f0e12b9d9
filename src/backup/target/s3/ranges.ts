import type { Abortable } from '../../../model/abortable.ts';
import { IsyncError } from '../../../model/isync-error.ts';
import { getObject } from '../../../s3/objects.ts';
import type { Bucket } from '../../../s3/requests.ts';
import type { ByteRanges } from '../../pack/byte-ranges.ts';
import type { TargetObject } from '../target.ts';
import type { Endpoints } from './endpoints.ts';

/**
 * Any range of an object as it was found, each by a request of its own.
 * @param object with the key of the bucket
 */
export function rangesOf(endpoints: Endpoints, object: TargetObject, { signal }: Abortable): ByteRanges {
  return {
    size: object.size,
    read: (start, end, options = { signal }) =>
      endpoints.each((bucket) => readRange(bucket, object, start, end, options)),
  };
}

async function* readRange(
  bucket: Bucket,
  { key, etag: ifMatch }: TargetObject,
  start: number,
  end: number,
  { signal }: Abortable,
): AsyncGenerator<Uint8Array> {
  if (start >= end) return;
  using found = await getObject(bucket, key, { start, end, ifMatch, signal, path: key });
  if (found === undefined) throw new IsyncError('MISSING', 'the object is not there any more', { path: key });
  let left = end - start;
  for await (const piece of found.bytes) {
    // A server that does not know ranges sends all from the beginning.
    if (piece.length > left)
      throw new IsyncError('STORE_FAILED', 'more bytes came than were asked for', {
        path: key,
        retryable: false,
      });
    left -= piece.length;
    if (piece.length > 0) yield piece;
  }
  if (left > 0) throw new IsyncError('LINK_LOST', `${left} bytes did not come`, { path: key });
}
