import type { DigestAlgorithm } from '../model/digest.ts';
import { factsOf } from '../model/error-table.ts';
import type { IsyncError } from '../model/isync-error.ts';
import type { Log } from '../model/log.ts';
import type { StoreTargetOptions } from '../sender/store-target/store-target.ts';
import type { DeviceReport } from '../protocol/report.ts';
import type { LinkState, PeerFacts } from '../sender/ws/ws-target-options.ts';
import type { RateLimiter } from '../flow/rate-limiter.ts';
import { retrying, type RetryPolicy } from '../flow/retry.ts';
import type { Target } from '../sender/target.ts';
import type { Store } from '../store/store.ts';

/** What a command wants of its target. */
export interface TargetUse {
  readonly mode: 'write' | 'read';
  /** Whether the command gives up on the target after a while; else it tries for ever. */
  readonly endsByItself: boolean;
  /** What limits how much goes over the link. Default: nothing. */
  readonly limiter?: RateLimiter | undefined;
  /** Whether the target also keeps what a power cut seems to have damaged. */
  readonly replaceDamaged?: boolean | undefined;
  /** Whether messages are compressed; for a receiver only. */
  readonly compress?: boolean | undefined;
  /** Called for each message to a receiver with the bytes that leave. */
  readonly onSend?: ((bytes: number) => void) | undefined;
  /** Told how the way to the target is. */
  readonly watch?: TargetWatch | undefined;
  /** Asked what the device tells a receiver of itself. */
  readonly report?: (() => DeviceReport) | undefined;
  /** Ends the wait for a target that can't be opened yet. */
  readonly signal: AbortSignal;
  /** Ends all that still waits for the target. */
  readonly cut: AbortSignal;
  readonly log: Log;
}

/** Told how the way to a target is. No call throws or takes long. */
export interface TargetWatch {
  /** A link to a receiver stands, is tried for, or was lost. */
  link(state: LinkState, error?: IsyncError): void;
  peerMet(peer: PeerFacts): void;
  /** The next try to connect comes after this long, in ms. */
  delay(ms: number): void;
  /** The target refuses a file or a request for now, or can't be opened yet. */
  refused(error: IsyncError): void;
}

/** A target and all that was opened for it. */
export interface OpenTarget extends AsyncDisposable {
  readonly target: Target;
}

/** What every kind of target is opened with. */
export interface Shared {
  readonly device: string;
  readonly digest: DigestAlgorithm;
  readonly replaceDamaged: boolean | undefined;
  readonly retry: RetryPolicy;
  readonly limiter: RateLimiter | undefined;
  readonly onRetry: (error: IsyncError) => void;
}

/**
 * Waits for a store that can't be opened yet, as for a receiver. Goes by the code alone: a store also calls retryable what a
 * running scan may wait for, and what is a wrong setting at its start.
 */
export async function untilOpen<T>(
  open: () => Promise<T>,
  { retry, onRetry }: Shared,
  signal: AbortSignal,
): Promise<T> {
  return await retrying(open, retry, { signal, isRetryable: mayPass, onRetry });
}

function mayPass({ code }: IsyncError): boolean {
  return factsOf(code).retryable === true;
}

/** Makes `store` a target of this process. Closing the target closes the store, and then `lock`. */
export async function ownTarget(
  store: Store,
  options: StoreTargetOptions,
  lock?: AsyncDisposable,
): Promise<OpenTarget> {
  const { createStoreTarget } = await import('../sender/store-target/store-target.ts');
  const target = createStoreTarget(store, options);
  return {
    target,
    async [Symbol.asyncDispose]() {
      await target[Symbol.asyncDispose]();
      await store[Symbol.asyncDispose]();
      await lock?.[Symbol.asyncDispose]();
    },
  };
}
