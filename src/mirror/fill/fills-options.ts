import type { Bandwidth } from '../../flow/bandwidth.ts';
import type { Log } from '../../model/log.ts';
import type { KeptBucket } from '../kept/kept.ts';
import type { Origin } from '../origin/origin.ts';
import type { MirrorRule } from '../rule.ts';
import type { Spool } from '../spool/spool.ts';
import type { FillsObserver } from './fills-observer.ts';

export interface FillsOptions {
  /** The first that matches a path counts. */
  readonly rules: readonly RuleOrigins[];
  /** Whether a path is never filled. */
  readonly isExcepted: (path: string) => boolean;
  readonly bucket: KeptBucket;
  /** Stays the caller's. */
  readonly spool: Spool;
  readonly limits?: FillsLimits | undefined;
  readonly log: Log;
  readonly observer?: FillsObserver | undefined;
}

export interface RuleOrigins {
  readonly rule: MirrorRule;
  /** One for each address of the rule, in the same order. */
  readonly origins: readonly Origin[];
}

export interface FillsLimits {
  /** Fills at a time, of all rules. Default 64: connections, and memory for a few blocks each. */
  readonly fills?: number | undefined;
  /** Requests that wait for fills at a time. Default 4,096: of some KiB each, with their connections. */
  readonly waiting?: number | undefined;
  /** Of all fills. Default: no limit. */
  readonly bandwidth?: Bandwidth | undefined;
}

export const DEFAULT_LIMITS = { fills: 64, waiting: 4096 };
