import type { ListedScan } from '../../config/read-scans.ts';
import { allDay, type Bandwidth } from '../../flow/bandwidth.ts';
import { createRateLimiter, type RateLimiter } from '../../flow/rate-limiter.ts';

const NO_LIMIT = allDay(Infinity);

interface Limit {
  readonly inForce: { bandwidth: Bandwidth };
  readonly limiter: RateLimiter;
}

/** What limits the bytes of the scans of one process: those without a limit of their own share that of the process. */
export class BandwidthLimits {
  readonly #own = new Map<ListedScan, Limit>();
  #shared: Limit | undefined;

  /** Undefined where there is no limit and never will be one. */
  limiterOf(listed: ListedScan): RateLimiter | undefined {
    const { once, bwlimit } = listed.config;
    // A daemon may get a limit later.
    if (once && bwlimit === undefined) return undefined;
    if (listed.sharesBandwidth) return (this.#shared ??= limitOf(bwlimit)).limiter;
    const own = limitOf(bwlimit);
    this.#own.set(listed, own);
    return own.limiter;
  }

  /** Changes the limit that {@link limiterOf} gave. */
  set(listed: ListedScan, bandwidth: Bandwidth = NO_LIMIT): void {
    const limit = this.#own.get(listed) ?? this.#shared;
    if (limit !== undefined) limit.inForce.bandwidth = bandwidth;
  }
}

function limitOf(bandwidth: Bandwidth = NO_LIMIT): Limit {
  const inForce = { bandwidth };
  return { inForce, limiter: createRateLimiter(() => inForce.bandwidth) };
}
