import type { ThrottledLog } from '../../http/throttled-log.ts';
import type { Log } from '../../model/log.ts';
import type { Parking } from '../parking/parking.ts';
import type { KeyEncoding } from '../parse/parsed.ts';
import type { AccessWays } from './access-rule.ts';
import type { Networks } from './networks.ts';
import type { SnsGet } from './sns/https-get.ts';
import type { QueueMessage } from './take-message.ts';
import type { WebhookObserver } from './webhook-observer.ts';

export interface WebhookOptions {
  /**
   * Resolves when all messages are durable. Rejects with an IsyncError; a retryable one (STORE_FULL, BUSY, UNREACHABLE) becomes
   * 503, and the sender tries again; EVENT_INVALID, where none of `messages` was taken, has the one parked that is too large.
   */
  readonly publish: (messages: readonly QueueMessage[]) => Promise<void>;
  readonly parking: Pick<Parking, 'park' | 'count'>;
  readonly access: AccessWays;
  /** Whose X-Forwarded-For, -Proto and -Host count. Default: nobody's. */
  readonly trustedProxies?: Networks | undefined;
  /** Topics of VK Cloud and of SNS. Default: for VK any, once the sender is authenticated; for SNS none. */
  readonly topics?: ReadonlySet<string> | undefined;
  /** The URL that VK Cloud was given. Default: what the request says. */
  readonly publicUrl?: string | undefined;
  /** Whether this server itself speaks TLS. */
  readonly isTls?: boolean | undefined;
  /** Events of other buckets are parked. Default: any. */
  readonly buckets?: ReadonlySet<string> | undefined;
  readonly keyEncoding?: KeyEncoding | undefined;
  /** How SNS is asked for certificates and confirmations. Default: over HTTPS. */
  readonly snsGet?: SnsGet | undefined;
  /** Authorities in PEM that certificates of SNS must lead to. Default: those that this process trusts. */
  readonly snsAuthorities?: readonly string[] | undefined;
  readonly observer?: WebhookObserver | undefined;
  readonly log: Log;
  /** Told what anybody who connects can cause. */
  readonly warnings: ThrottledLog;
  /** In ms since 1970. */
  readonly now?: (() => number) | undefined;
}
