import { checkListable, type ListedObject, listObjects, type ListOptions } from '../../s3/objects.ts';
import type { BucketPool } from '../action/bucket-pool.ts';

/** All keys of a bucket below `prefix`, in the order of their UTF-8 bytes, wherever the bucket is. */
export async function* listKeys(
  pool: BucketPool,
  name: string,
  prefix: string,
  options: ListOptions,
): AsyncGenerator<ListedObject> {
  const bucket = await pool.use(name, undefined, async (bucket) => {
    // A page may take long to be used; which region it is must be known before.
    await checkListable(bucket, prefix, options);
    return bucket;
  });
  yield* listObjects(bucket, prefix, options);
}
