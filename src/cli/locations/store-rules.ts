import { withFileSizeLimit } from '../../store/rules/file-size-limit.ts';
import { type QuotaOptions, withQuota } from '../../store/rules/quota-store.ts';
import type { Store } from '../../store/store.ts';
import type { StoreSettings } from './store-use.ts';

/** Puts the limits in front of a store; the cheapest check is outermost. */
export function withLimits(
  store: Store,
  { maxFileSize, quota }: StoreSettings,
  options: QuotaOptions = {},
): Store {
  const counted = quota === undefined ? store : withQuota(store, quota, options);
  return maxFileSize === undefined ? counted : withFileSizeLimit(counted, maxFileSize);
}
