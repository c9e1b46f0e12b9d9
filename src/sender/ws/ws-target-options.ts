import type { BufferPool } from '../../flow/buffer-pool.ts';
import type { RateLimiter } from '../../flow/rate-limiter.ts';
import type { RetryPolicy } from '../../flow/retry.ts';
import type { DigestAlgorithm } from '../../model/digest.ts';
import type { IsyncError } from '../../model/isync-error.ts';
import type { DeviceReport } from '../../protocol/report.ts';
import type { TlsOptions } from './connect.ts';

export interface WsTargetOptions {
  /** `ws://` or `wss://` with host and port; a path is put before that of the protocol. */
  readonly url: string;
  /** Asked for anew before each connection when it is a function. */
  readonly token?: string | (() => Promise<string>) | undefined;
  /** Asked for anew before each connection. */
  readonly tls?: (() => TlsOptions) | undefined;
  readonly device: string;
  /** In mode `read` only `look`, `list` and `read` may be called. */
  readonly mode: 'write' | 'read';
  readonly digest: DigestAlgorithm;
  /** Have the receiver keep files that a power cut seems to have damaged, too. Default false. */
  readonly replaceDamaged?: boolean | undefined;
  /** Memory for large messages of the receiver, which whoever is done with them gives back. Default: new memory for each. */
  readonly received?: BufferPool | undefined;
  readonly retry: RetryPolicy;
  readonly limiter?: RateLimiter | undefined;
  /** Compress messages that shrink by it, where the receiver takes them. Default false. */
  readonly compress?: boolean | undefined;
  /** Called with the bytes of each message as it leaves: content and header, also when sent again. Must not throw. */
  readonly onSend?: ((bytes: number) => void) | undefined;
  /** Called once when the receiver takes no compressed messages. Must not throw. */
  readonly onUncompressed?: (() => void) | undefined;
  /** Called at each change of the link; `error` says why it was lost. Must not throw. */
  readonly onLink?: ((state: LinkState, error?: IsyncError) => void) | undefined;
  /** Told of the receiver each time the link stands. Must not throw. */
  readonly onPeer?: ((peer: PeerFacts) => void) | undefined;
  /** Told how long it is to the next try to connect, in ms. Must not throw. */
  readonly onDelay?: ((ms: number) => void) | undefined;
  /** Asked every few seconds what the device tells of itself, where the receiver wants to know. Must be cheap and not throw. */
  readonly report?: (() => DeviceReport) | undefined;
  /** What HELLO calls this side. Default "isync". */
  readonly software?: string | undefined;
  /** Called each time the target refuses a file or a request for now, with the reason. Must not throw. */
  readonly onRetry?: ((error: IsyncError) => void) | undefined;
  /** Rejects everything, now and later, with the signal's reason, and closes the link. */
  readonly signal?: AbortSignal | undefined;
  readonly deadlines?: Partial<LinkDeadlines> | undefined;
}

/** What a sender learns of its receiver. */
export interface PeerFacts {
  /** As the receiver says; any text. */
  readonly software: string;
  /** When its certificate ends, in ms since 1970; undefined without TLS. */
  readonly certificateEndsMs: number | undefined;
}

export type LinkState = 'connecting' | 'connected' | 'lost';

/** All in ms. The defaults are those of the protocol. */
interface LinkDeadlines {
  readonly connectMs: number;
  readonly welcomeMs: number;
  readonly keepaliveMs: number;
  readonly silenceMs: number;
}
