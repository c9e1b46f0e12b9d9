import type { S3StoreOptions } from '../../../src/store/s3/s3-options.ts';
import { openS3Store } from '../../../src/store/s3/s3-store.ts';
import type { Store } from '../../../src/store/store.ts';
import type { S3Server } from '../../../harness/s3-server.ts';

/** The smallest part that servers take. */
export const SMALL_PART = 5 * 1024 * 1024;

/** The store as the environment of the test's server has it: its keys are those of the SDK's usual chain. */
export function openStoreAt(
  server: S3Server,
  place: Pick<S3StoreOptions, 'bucket'> & Partial<S3StoreOptions>,
): Promise<Store> {
  Object.assign(process.env, server.env);
  return openS3Store({ prefix: '', endpoint: server.endpoint, minPartBytes: SMALL_PART, ...place });
}
