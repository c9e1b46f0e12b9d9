import type { OriginKey } from '../origin/origin.ts';
import type { MirrorRule } from '../rule.ts';
import type { MirrorKey } from './fills.ts';

/** What a key is called at the origins of its rule. */
export function originKeyOf({ key: { strip, add } }: MirrorRule, { path, query }: MirrorKey): OriginKey {
  const rest = path.startsWith(strip) ? path.slice(strip.length) : path;
  return { key: add + rest, query };
}
