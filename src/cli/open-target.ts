import { readText } from '../config/read-text.ts';
import type { SenderConfig } from '../config/schemas/sender.ts';
import { readTokenFile } from '../config/token-file.ts';
import { showStoreAddress } from '../config/target-address.ts';
import type { DigestAlgorithm } from '../model/digest.ts';
import { factsOf, type ErrorCode } from '../model/error-table.ts';
import { IsyncError } from '../model/isync-error.ts';
import type { Log } from '../model/log.ts';
import type { StoreTargetOptions } from '../sender/store-target/store-target.ts';
import { createRateLimiter, type RateLimiter } from '../flow/rate-limiter.ts';
import { Backoff, type RetryPolicy } from '../flow/retry.ts';
import type { Target } from '../sender/target.ts';
import type { LinkState, WsTargetOptions } from '../sender/ws/ws-target.ts';
import type { Store } from '../store/store.ts';
import { isLoopback } from '../http/listen-address.ts';
import { openS3 } from './open-s3-store.ts';
import { checkSeparate } from './separate-folders.ts';
import { trustSystemCas } from './trust-system-cas.ts';

/** How long a command that ends by itself tries to reach its target, in ms: a restart of the receiver fits in. */
export const ONE_SHOT_RETRY_MS = 20_000;
/** How often it is said that files wait for the same reason, in ms. */
const TOLD_EVERY_MS = 60_000;
/**
 * Files under way to a bucket at a time. Each small one is a request and waits for nothing else, so many hide the
 * latency; each large one holds the store's part buffers.
 */
const S3_FILES_AT_ONCE = { small: 64, large: 8 };
export interface TargetUse {
  readonly mode: 'write' | 'read';
  /** Gives up on the target after a while; else tries for ever. */
  readonly endsByItself: boolean;
  /** What goes over the link, in bytes a second. */
  readonly bytesPerSecond?: number | undefined;
  /** Have the target keep also what a power cut seems to have damaged. */
  readonly replaceDamaged?: boolean | undefined;
  /** For a receiver only. */
  readonly compress?: boolean | undefined;
  /** Told of each message to a receiver, in bytes as it leaves. */
  readonly onSend?: ((bytes: number) => void) | undefined;
  /** Ends the wait for a target that can't be opened yet. */
  readonly signal: AbortSignal;
  readonly log: Log;
}

/** A target and all that was opened for it. */
export interface OpenTarget extends AsyncDisposable {
  readonly target: Target;
}

/**
 * Opens what `--to` names. A receiver is connected to in the background: that it can't be is told by the calls.
 * @throws IsyncError CONFIG_INVALID, ROOT_MISSING, STORE_MISSING, or what an S3 store can't be opened for
 */
export async function openTarget(config: SenderConfig, use: TargetUse): Promise<OpenTarget> {
  const shared: Shared = {
    device: config.device,
    digest: config.digest,
    replaceDamaged: use.replaceDamaged,
    retry: { giveUpAfterMs: config.retryFor ?? (use.endsByItself ? ONE_SHOT_RETRY_MS : undefined) },
    limiter: use.bytesPerSecond === undefined ? undefined : createRateLimiter(use.bytesPerSecond),
    onRetry: sometimes((error: IsyncError) =>
      use.log.warn('the target refuses for now; trying again', {
        code: error.code,
        reason: error.message,
      }),
    ),
  };
  const { to } = config;
  const readOnly = use.mode === 'read';
  if (to.kind === 'folder') {
    use.log.info('opening the target', { device: config.device, to: to.path });
    await checkSeparate(config.root, to.path);
    return openFolder(to.path, shared, use);
  }
  if (to.kind === 's3') {
    use.log.info('opening the target', { device: config.device, to: showStoreAddress(to) });
    const open = () => openS3(to, config, use.log, { readOnly });
    return ownTarget(await untilOpen(open, shared, use.signal), { ...shared, most: S3_FILES_AT_ONCE });
  }
  use.log.info('opening the target', { device: config.device, to: to.url.href });
  if (to.url.protocol === 'wss:' && config.tlsCa === undefined) trustSystemCas();
  const { createWsTarget } = await import('../sender/ws/ws-target.ts');
  const target = createWsTarget({
    ...shared,
    url: to.url.href,
    mode: use.mode,
    token: readToken(config),
    tls: readTls(config),
    compress: use.compress,
    onSend: use.onSend,
    onUncompressed: () =>
      use.log.info('the receiver takes nothing compressed: going on without', { to: to.url.host }),
    onLink: (state, error) => logLink(use.log, state, error),
  });
  warnOfClearText(config, to.url, use.log);
  return { target, [Symbol.asyncDispose]: () => target[Symbol.asyncDispose]() };
}

interface Shared {
  readonly device: string;
  readonly digest: DigestAlgorithm;
  readonly replaceDamaged: boolean | undefined;
  readonly retry: RetryPolicy;
  readonly limiter: RateLimiter | undefined;
  readonly onRetry: (error: IsyncError) => void;
}

/** A folder, for this process alone as far as the device's files go, unless it only reads. */
async function openFolder(
  path: string,
  shared: Shared,
  { mode, signal, log }: TargetUse,
): Promise<OpenTarget> {
  const { openFileStore } = await import('../store/file/file-store.ts');
  if (mode === 'read') return ownTarget(await openFileStore(path, { readOnly: true }), shared);
  const store = await openFileStore(path);
  try {
    const { lockDevice } = await import('../store/file/device-lock.ts');
    const onWait = (holder: string) =>
      log.warn('another isync may send to this folder: waiting for a sign of life', { holder });
    const lock = await untilOpen(() => lockDevice(path, shared.device, { signal, onWait }), shared, signal);
    return await ownTarget(store, { ...shared, fenced: lock.lost }, lock);
  } catch (error) {
    await store[Symbol.asyncDispose]();
    throw error;
  }
}

/**
 * Waits for what can't be opened yet, as for a receiver. Goes by the code alone: a store also calls retryable what a
 * running scan may wait for, and what is a wrong setting at its start.
 */
async function untilOpen<T>(
  open: () => Promise<T>,
  { retry, onRetry }: Shared,
  signal: AbortSignal,
): Promise<T> {
  const backoff = new Backoff(retry);
  for (;;)
    try {
      return await open();
    } catch (error) {
      if (!(error instanceof IsyncError) || factsOf(error.code).retryable !== true) throw error;
      onRetry(error);
      if (!(await backoff.wait({ signal }))) throw error;
    }
}

/** `store` as a target of this process; closed with it, and then what else there is. */
async function ownTarget(
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

/** A token file is read again for each connection, so that a new token needs no restart; first of all at once. */
function readToken({ token, tokenFile }: SenderConfig): WsTargetOptions['token'] {
  if (tokenFile === undefined) return token?.reveal();
  readTokenFile(tokenFile);
  return async () => readTokenFile(tokenFile);
}

function readTls({ tlsCa, tlsCert, tlsKey }: SenderConfig): WsTargetOptions['tls'] {
  return {
    ...(tlsCa !== undefined && { ca: readText(tlsCa, 'the file of --tls-ca') }),
    ...(tlsCert !== undefined && { cert: readText(tlsCert, 'the file of --tls-cert') }),
    ...(tlsKey !== undefined && { key: readText(tlsKey, 'the file of --tls-key') }),
  };
}

function warnOfClearText({ token, tokenFile }: SenderConfig, url: URL, log: Log): void {
  const hasToken = token !== undefined || tokenFile !== undefined;
  if (hasToken && url.protocol === 'ws:' && !isLoopback(url.hostname))
    log.warn('the token and all content cross the network in clear text; wss:// would hide them', {
      to: url.host,
    });
}

/** Tells the first error of each code, and again when a minute has passed: every file that waits has its own. */
function sometimes(tell: (error: IsyncError) => void): (error: IsyncError) => void {
  const toldMs = new Map<ErrorCode, number>();
  return (error) => {
    const nowMs = performance.now();
    if (nowMs - (toldMs.get(error.code) ?? -Infinity) < TOLD_EVERY_MS) return;
    toldMs.set(error.code, nowMs);
    tell(error);
  };
}

function logLink(log: Log, state: LinkState, error: IsyncError | undefined): void {
  if (state === 'lost')
    log.warn('link lost', { code: error?.code, reason: error?.message, hint: error?.hint });
  else if (state === 'connected') log.info('connected');
  else log.debug('connecting');
}
