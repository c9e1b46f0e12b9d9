import { createRateLimiter, type RateLimiter } from '../../flow/rate-limiter.ts';
import type { OriginKey } from '../origin/origin.ts';
import type { MirrorRule } from '../rule.ts';
import { originKeyOf } from '../rules.ts';
import type { MirrorKey } from './fills.ts';
import type { GuardedOrigin } from './guarded-origin.ts';

/** A rule, and what its fills share. */
export class Route {
  readonly rule: MirrorRule;
  readonly origins: readonly GuardedOrigin[];
  readonly limiters: readonly RateLimiter[];

  constructor(rule: MirrorRule, origins: readonly GuardedOrigin[], whole: RateLimiter | undefined) {
    this.rule = rule;
    this.origins = origins;
    const { bwlimit } = rule;
    const own = bwlimit === undefined ? undefined : createRateLimiter(() => bwlimit);
    this.limiters = [own, whole].filter((each) => each !== undefined);
  }

  /** Whether an origin can have the key: no other part of it may be asked for, as what `strip` leaves might. */
  has(key: MirrorKey): boolean {
    return originKeyOf(this.rule, key) !== undefined;
  }

  /** Of a key that an origin can have. */
  keyOf(key: MirrorKey): OriginKey {
    const originKey = originKeyOf(this.rule, key);
    if (originKey === undefined) throw new Error('no origin can have this key');
    return originKey;
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
