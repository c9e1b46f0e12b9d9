import type { LRUCache } from 'lru-cache';
import type { KeptBucket } from '../kept/kept.ts';
import type { Spool } from '../spool/spool.ts';
import type { FillsObserver } from './fills-observer.ts';
import type { Places } from './places.ts';

/** What all fills share. */
export interface FillNeeds {
  readonly bucket: KeptBucket;
  readonly spool: Spool;
  readonly places: Places;
  readonly observer: FillsObserver;
  /** Keys that an origin has said do not exist. */
  readonly absent: LRUCache<string, true>;
  /** Keys that are in the bucket since a moment ago. */
  readonly kept: LRUCache<string, true>;
  /** Logs that an object was not kept. */
  readonly complain: (key: string, error: Error) => void;
}
