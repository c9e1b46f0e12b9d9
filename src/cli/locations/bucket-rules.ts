import type { ReceiveConfig } from '../../config/schemas/receive.ts';
import { withFileSizeLimit } from '../../store/rules/file-size-limit.ts';
import { withImmutable } from '../../store/rules/immutable-store.ts';
import { withQuota } from '../../store/rules/quota-store.ts';
import type { Store } from '../../store/store.ts';

/**
 * How long a count of a device's bytes in a bucket holds, in ms. Other receivers may add to them, and counting takes a
 * request for every thousand files.
 */
const RECOUNT_MS = 3600 * 1000;

/** Puts the receiver's rules in front of a bucket; a folder keeps them itself. The cheapest check is outermost. */
export function withRules(bucket: Store, { immutable, quota, maxFileSize }: ReceiveConfig): Store {
  let store = bucket;
  if (immutable) store = withImmutable(store);
  if (quota !== undefined) store = withQuota(store, quota, { recountMs: RECOUNT_MS });
  return maxFileSize === undefined ? store : withFileSizeLimit(store, maxFileSize);
}
