import { abortUpload, listUploads } from '../../s3/multipart.ts';
import { listObjects } from '../../s3/objects.ts';
import type { Keys } from './keys.ts';
import type { OwnObjects } from './own-objects.ts';
import { readState } from './state-keeper.ts';

/**
 * Throws away the uploads below the store's prefix, of any process, that nobody has resumed since `before` (ms since the
 * epoch), and their states. It makes one request at a time, so that it disturbs nobody. Several processes may do it at
 * once. A process may be resuming an upload that another throws away: it then begins anew.
 */
export async function throwAwayAbandoned(
  own: OwnObjects,
  keys: Keys,
  before: number,
  signal: AbortSignal,
): Promise<void> {
  const { bucket } = own;
  const request = { signal };
  for await (const { key, modifiedMs } of listObjects(bucket, keys.states, request)) {
    if (modifiedMs >= before) continue;
    const state = await readState(own, key, request);
    if (state !== undefined)
      await abortUpload(bucket, { key: keys.all + state.path, uploadId: state.uploadId }, request);
    await own.remove(key, request);
  }
  for await (const { key, uploadId, startedMs } of listUploads(bucket, keys.all, request))
    if (startedMs < before && !(await isResumed(own, keys, key, before, signal)))
      await abortUpload(bucket, { key, uploadId }, request);
}

/** Whether an upload to this key has progressed since `before`: a large file over a bad link may take over a week. */
async function isResumed(
  own: OwnObjects,
  keys: Keys,
  key: string,
  before: number,
  signal: AbortSignal,
): Promise<boolean> {
  const path = keys.pathOf(key);
  if (path === undefined) return false;
  for await (const { modifiedMs } of listObjects(own.bucket, keys.statesOf(path), { signal }))
    if (modifiedMs >= before) return true;
  return false;
}
