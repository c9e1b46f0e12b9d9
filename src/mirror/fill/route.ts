import { createRateLimiter, type RateLimiter } from '../../flow/rate-limiter.ts';
import type { OriginKey } from '../origin/origin.ts';
import type { MirrorRule } from '../rule.ts';
import type { MirrorKey } from './fills.ts';
import type { GuardedOrigin } from './guarded-origin.ts';
import { originKeyOf } from './origin-key.ts';

/** A rule, and what its fills share. */
export class Route {
  readonly rule: MirrorRule;
  readonly origins: readonly GuardedOrigin[];
  readonly limiters: readonly RateLimiter[];

  constructor(rule: MirrorRule, origins: readonly GuardedOrigin[], whole: RateLimiter | undefined) {
    this.rule = rule;
    this.origins = origins;
    const own = rule.bwlimit === undefined ? undefined : createRateLimiter(rule.bwlimit);
    this.limiters = [own, whole].filter((each) => each !== undefined);
  }

  keyOf(key: MirrorKey): OriginKey {
    return originKeyOf(this.rule, key);
  }

  /** The first origin where a client could ask by itself. */
  urlOf(key: MirrorKey): string | undefined {
    const originKey = this.keyOf(key);
    for (const origin of this.origins) {
      const url = origin.urlOf(originKey);
      if (url !== undefined) return url;
    }
    return undefined;
  }
}
