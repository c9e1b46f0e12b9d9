import { readText } from '../../config/read-text.ts';
import type { ReceiverAccess } from '../../config/schemas/receiver-access.ts';
import type { SenderConfig } from '../../config/schemas/sender.ts';
import type { ReceiverAddress } from '../../config/target-address.ts';
import { readTokenFile } from '../../config/token-file.ts';
import type { RetryPolicy } from '../../flow/retry.ts';
import type { IsyncError } from '../../model/isync-error.ts';
import type { Log } from '../../model/log.ts';
import type { TlsOptions } from '../../sender/ws/connect.ts';
import type { ReadableStore } from '../../store/store.ts';
import type { LinkState, WsTargetOptions } from '../../sender/ws/ws-target-options.ts';
import { isLoopback } from '../../http/listen-address.ts';
import type { OpenTarget, Shared, TargetUse } from '../own-target.ts';
import { softwareName } from '../version.ts';
import { trustSystemCas } from '../trust-system-cas.ts';

/** Makes a receiver a target. It is connected to in the background. */
export async function openReceiver(
  to: ReceiverAddress,
  config: SenderConfig,
  shared: Shared,
  use: TargetUse,
): Promise<OpenTarget> {
  if (to.url.protocol === 'wss:' && config.tlsCa === undefined) trustSystemCas();
  const { createWsTarget } = await import('../../sender/ws/ws-target.ts');
  const target = createWsTarget({
    ...shared,
    url: to.url.href,
    mode: use.mode,
    token: readToken(config),
    tls: tlsOf(config),
    compress: use.compress,
    onSend: use.onSend,
    onUncompressed: () =>
      use.log.info('the receiver takes nothing compressed: going on without', { to: to.url.host }),
    onLink: (state, error) => {
      use.watch?.link(state, error);
      logLink(use.log, state, error);
    },
    onPeer: (peer) => use.watch?.peerMet(peer),
    onDelay: (ms) => use.watch?.delay(ms),
    report: use.report,
    software: softwareName(),
  });
  warnOfClearText(config, to.url, use.log);
  return { target, [Symbol.asyncDispose]: () => target[Symbol.asyncDispose]() };
}

export interface ReceiverStoreUse {
  /** Whose files are read. */
  readonly device: string;
  readonly retry: RetryPolicy;
  /** Ends the opening. */
  readonly signal: AbortSignal;
  /** Ends all that still waits for the receiver. */
  readonly cut: AbortSignal;
  readonly log: Log;
}

/**
 * Opens what a receiver keeps of a device, to be read. Resolves once it is connected.
 * @throws IsyncError that of the link, once it gave up or was refused
 */
export async function openReceiverToRead(
  { url }: ReceiverAddress,
  config: ReceiverAccess,
  { device, retry, signal, cut, log }: ReceiverStoreUse,
): Promise<ReadableStore> {
  if (url.protocol === 'wss:' && config.tlsCa === undefined) trustSystemCas();
  warnOfClearText(config, url, log);
  const { openReceiverStore } = await import('../../sender/ws/receiver-store.ts');
  const options = {
    url: url.href,
    token: readToken(config),
    tls: tlsOf(config),
    device,
    digest: 'xxh64',
    retry,
    onLink: (state: LinkState, error?: IsyncError) => logLink(log, state, error),
    software: softwareName(),
    signal: cut,
  } as const;
  return await openReceiverStore(options, { signal });
}

/**
 * Returns what a receiver asks for.
 * @throws IsyncError CONFIG_INVALID where a file can't be used
 */
export function readReceiverAccess(config: ReceiverAccess): Required<Pick<WsTargetOptions, 'token'>> & {
  readonly tls: TlsOptions;
} {
  return { token: readToken(config), tls: readTls(config) };
}

/** Returns how to get the token. A token file is read now, and again for each connection: a new token needs no restart. */
function readToken({ token, tokenFile }: ReceiverAccess): WsTargetOptions['token'] {
  if (tokenFile === undefined) return token?.reveal();
  readTokenFile(tokenFile);
  return async () => readTokenFile(tokenFile);
}

/** Returns how to get certificates. They are read now, and again for each connection: renewed ones need no restart. */
function tlsOf(config: ReceiverAccess): WsTargetOptions['tls'] {
  readTls(config);
  return () => readTls(config);
}

function readTls({ tlsCa, tlsCert, tlsKey }: ReceiverAccess): TlsOptions {
  return {
    ...(tlsCa !== undefined && { ca: readText(tlsCa, 'the file of --tls-ca') }),
    ...(tlsCert !== undefined && { cert: readText(tlsCert, 'the file of --tls-cert') }),
    ...(tlsKey !== undefined && { key: readText(tlsKey, 'the file of --tls-key') }),
  };
}

function warnOfClearText({ token, tokenFile }: ReceiverAccess, url: URL, log: Log): void {
  const hasToken = token !== undefined || tokenFile !== undefined;
  if (hasToken && url.protocol === 'ws:' && !isLoopback(url.hostname))
    log.warn('the token and all content cross the network in clear text; wss:// would hide them', {
      to: url.host,
    });
}

function logLink(log: Log, state: LinkState, error: IsyncError | undefined): void {
  if (state === 'lost')
    log.warn('link lost', { code: error?.code, reason: error?.message, hint: error?.hint });
  else if (state === 'connected') log.info('connected');
  else log.debug('connecting');
}
