import { IsyncError } from '../../model/isync-error.ts';
import { formatStoreId, MAX_STORE_ID_BYTES, newStoreId, parseStoreId } from '../store-id.ts';
import type { RequestOptions } from '../../s3/requests.ts';
import type { OwnObjects } from './own-objects.ts';

/**
 * The id that is kept under `key`, read anew. With `make` one is put where there is none. When several processes do so at
 * once, the first wins. Where the server ignores conditions the last wins, and the others learn it at their next look.
 */
export async function findStoreId(
  own: OwnObjects,
  key: string,
  make: boolean,
  request: RequestOptions,
): Promise<string | undefined> {
  const found = await own.read(key, MAX_STORE_ID_BYTES, request);
  const kept = found && parseStoreId(found);
  if (kept !== undefined || !make) return kept;
  const bytes = formatStoreId(newStoreId());
  // What is there but can't be read is damaged, and must go.
  if (found !== undefined) await own.put(key, bytes, 'text/plain', request);
  else await own.putIfAbsent(key, bytes, 'text/plain', request);
  const made = await own.read(key, MAX_STORE_ID_BYTES, request);
  const id = made && parseStoreId(made);
  if (id !== undefined) return id;
  throw new IsyncError('STORE_FAILED', `the id of the store is not kept at ${own.bucket.where}`, {
    path: key,
    retryable: true,
  });
}
