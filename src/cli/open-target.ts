import { BlockList, isIPv4, isIPv6 } from 'node:net';
import { readText } from '../config/read-text.ts';
import type { ScanConfig, VerifyConfig } from '../config/schemas.ts';
import { readTokenFile } from '../config/token-file.ts';
import type { Log } from '../observe/log.ts';
import { createRateLimiter } from '../sender/rate-limiter.ts';
import type { Target } from '../sender/target.ts';

/** How long a command that ends by itself tries to reach its target, in ms: a restart of the receiver fits in. */
const ONE_SHOT_RETRY_MS = 20_000;

export interface TargetUse {
  readonly mode: 'write' | 'read';
  /** Gives up after a while; else tries for ever. */
  readonly endsByItself: boolean;
  /** Bytes of content a second. */
  readonly bytesPerSecond?: number | undefined;
  readonly log: Log;
}
