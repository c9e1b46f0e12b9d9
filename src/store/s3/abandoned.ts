import type { S3Bucket } from './bucket.ts';
import type { Keys } from './keys.ts';
import { readState } from './state-keeper.ts';

/**
 * Throws away what nobody has gone on with since `before`, in ms since the epoch: the states of uploads, and multipart
 * uploads below the store's prefix, whoever began them. One request at a time, a page at a time, so that it disturbs
 * nobody. Several processes may do it at once, and one may go on with an upload that another throws away: it then begins
 * anew.
 */
export async function throwAwayAbandoned(
  bucket: S3Bucket,
  keys: Keys,
  before: number,
  signal: AbortSignal,
): Promise<void> {
  const request = { signal };
  for await (const { key, modifiedMs } of bucket.list(keys.states, request)) {
    if (modifiedMs >= before) continue;
    const state = await readState(bucket, key, request);
    if (state !== undefined)
      await bucket.abort({ key: keys.all + state.path, uploadId: state.uploadId }, request);
    await bucket.remove(key, request);
  }
  for await (const { key, uploadId, startedMs } of bucket.listUploads(keys.all, request))
    if (startedMs < before && !(await isGoneOnWith(bucket, keys, key, before, signal)))
      await bucket.abort({ key, uploadId }, request);
}

/** Whether some upload to this key has come forward lately: a large file over a bad link may take longer than a week. */
async function isGoneOnWith(
  bucket: S3Bucket,
  keys: Keys,
  key: string,
  before: number,
  signal: AbortSignal,
): Promise<boolean> {
  const path = keys.pathOf(key);
  if (path === undefined) return false;
  for await (const { modifiedMs } of bucket.list(keys.statesOf(path), { signal }))
    if (modifiedMs >= before) return true;
  return false;
}
