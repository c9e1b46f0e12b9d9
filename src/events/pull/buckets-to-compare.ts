import { IsyncError } from '../../model/isync-error.ts';
import type { PullState } from '../state/pull-state.ts';

/**
 * Those that the config names, or else those that something came from.
 * @throws IsyncError CONFIG_INVALID where there are none
 */
export function bucketsToCompare(named: readonly string[], state: PullState): readonly string[] {
  const buckets = named.length > 0 ? named : state.buckets();
  if (buckets.length > 0) return buckets;
  throw new IsyncError('CONFIG_INVALID', 'nothing tells which bucket to compare with', {
    hint: 'Name it as "buckets" in the config file.',
  });
}
