import type { ReceiveConfig } from '../../config/schemas/receive.ts';
import { withFileSizeLimit } from '../../store/rules/file-size-limit.ts';
import { type QuotaOptions, withQuota } from '../../store/rules/quota-store.ts';
import type { Store } from '../../store/store.ts';

/** Puts a receiver's limits in front of a store; the cheapest check is outermost. */
export function withLimits(
  store: Store,
  { maxFileSize, quota }: ReceiveConfig,
  options: QuotaOptions = {},
): Store {
  const counted = quota === undefined ? store : withQuota(store, quota, options);
  return maxFileSize === undefined ? counted : withFileSizeLimit(counted, maxFileSize);
}
