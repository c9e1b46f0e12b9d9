import { createHash } from 'node:crypto';
import { IsyncError } from '../../model/isync-error.ts';
import { formatStoreId, MAX_STORE_ID_BYTES, newStoreId, parseStoreId } from '../new-store-id.ts';
import type { S3Bucket, Request } from './bucket.ts';

/**
 * The id that is kept under `key`, read anew. With `make` one is put where there is none. Of several processes that do
 * so at a time the first wins; where the server ignores conditions the last does, and the others read so the next time.
 */
export async function findStoreId(
  bucket: S3Bucket,
  key: string,
  make: boolean,
  request: Request,
): Promise<string | undefined> {
  const found = await readStoreId(bucket, key, request);
  if (found.id !== undefined || !make) return found.id;
  const bytes = formatStoreId(newStoreId());
  const body = { bytes, md5: createHash('md5').update(bytes).digest('base64') };
  if (found.isThere) await bucket.putOwn(key, body, request);
  else await bucket.putOwnOnce(key, body, request);
  const { id } = await readStoreId(bucket, key, request);
  if (id !== undefined) return id;
  throw new IsyncError('STORE_FAILED', `the id of the store is not kept at ${bucket.where}`, {
    path: key,
  });
}

async function readStoreId(bucket: S3Bucket, key: string, request: Request) {
  const pieces: Uint8Array[] = [];
  let size = 0;
  const take = (piece: Uint8Array): void => {
    size += piece.length;
    if (size <= MAX_STORE_ID_BYTES) pieces.push(piece);
  };
  const isThere = await bucket.read(key, take, request);
  return { isThere, id: isThere ? parseStoreId(Buffer.concat(pieces)) : undefined };
}
