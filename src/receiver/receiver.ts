import { certificateFacts, certificateFault } from '../http/certificate.ts';
import type { TlsFiles } from '../http/create-server.ts';
import { isLoopback, type ListenAddress } from '../http/listen-address.ts';
import { type HttpServer, startServer } from '../http/server.ts';
import { ThrottledLog } from '../http/throttled-log.ts';
import type { Log } from '../model/log.ts';
import type { Store } from '../store/store.ts';
import { Connections } from './connections.ts';
import type { DeviceWatch } from './devices/device-watch.ts';
import { Devices } from './devices/devices.ts';
import { checkExposure } from '../http/exposure.ts';
import { withStoreFullLog } from '../store/rules/store-full-log.ts';
import { answerHealth } from './health.ts';
import {
  DEFAULT_MAX_CONNECTIONS,
  RECEIVER_LIMITS,
  type ReceiverLimits,
  UNADMITTED_LIMITS,
} from './receiver-limits.ts';
import type { TokenFile } from '../access/token-file.ts';

export interface ReceiverOptions {
  /** The receiver uses it and leaves closing it to its owner. */
  readonly store: Store;
  readonly listen: ListenAddress;
  /** Who may send; its owner disposes it. Without tokens, everybody who can connect may. */
  readonly tokens?: TokenFile | undefined;
  /** Listen beyond loopback without tokens. */
  readonly insecure?: boolean | undefined;
  /** With a `ca`, a sender needs a certificate of it beside its token, not instead. */
  readonly tls?: TlsFiles | undefined;
  /** Sessions at a time. Default {@link DEFAULT_MAX_CONNECTIONS}. */
  readonly maxConnections?: number | undefined;
  /** What this side calls itself to senders. Default "isync". */
  readonly software?: string | undefined;
  readonly limits?: Partial<ReceiverLimits> | undefined;
  /** Told of devices, their sessions and reports. */
  readonly watch?: DeviceWatch | undefined;
  readonly log: Log;
}

export interface Receiver extends AsyncDisposable {
  readonly host: string;
  /** The port in use, also where 0 was asked for. */
  readonly port: number;
  /** What a sender is given as its target. */
  readonly url: string;
  /** As HttpServer has it. @throws IsyncError CONFIG_INVALID */
  useTls(tls: TlsFiles): void;
  /**
   * Takes nothing new, finishes what is being committed and says so, closes every session with 1001. Resolves when
   * all has stopped, or `shutdownMs` have passed and the sockets were cut. Idempotent.
   */
  [Symbol.asyncDispose](): Promise<void>;
}

/** @throws IsyncError CONFIG_INVALID: exposed without tokens, unusable certificate, or no such address to listen on */
export async function startReceiver(options: ReceiverOptions): Promise<Receiver> {
  const { listen, tokens, tls, log } = options;
  checkReceiverExposure(options);
  if (tokens !== undefined && tls === undefined && !isLoopback(listen.host))
    log.warn('without TLS, tokens and data cross the network in the clear', { host: listen.host });
  warnOfCertificate(options);
  const limits = { ...RECEIVER_LIMITS, ...options.limits };
  const warnings = new ThrottledLog(log);
  const watch = options.watch ?? new Devices();
  const connections = new Connections({
    store: withStoreFullLog(options.store, log, (device, reason) => watch.full(device, reason)),
    tokens,
    maxSessions: options.maxConnections ?? DEFAULT_MAX_CONNECTIONS,
    software: options.software ?? 'isync',
    limits,
    watch,
    log,
    warnings,
  });
  const server = await startServer({
    listen,
    tls,
    limits: httpLimits(limits),
    handler: answerHealth,
    onUpgrade: (request) => connections.upgrade(request),
    log,
    warnings,
  });
  const forgetTokens = tokens?.onRevoked((ids) => connections.revoke(ids));
  const receiver = new WebSocketReceiver(server, connections, log, forgetTokens);
  log.info('listening', { url: receiver.url });
  return receiver;
}

/** @throws IsyncError CONFIG_INVALID where everybody on the network could write */
export function checkReceiverExposure({
  listen,
  tokens,
  insecure = false,
}: Pick<ReceiverOptions, 'listen' | 'insecure'> & { readonly tokens?: unknown }): void {
  checkExposure(listen, tokens !== undefined || insecure, EXPOSURE);
}

/** Logs what keeps senders from taking the certificate, now or soon. */
function warnOfCertificate({ tls, log }: ReceiverOptions): void {
  const facts = tls && certificateFacts(tls.cert);
  const fault = facts && certificateFault(facts, Date.now());
  if (fault !== undefined) log[fault.isRefused ? 'error' : 'warn'](fault.message, { hint: fault.hint });
}

const EXPOSURE = {
  server: 'a receiver',
  hint: 'Give it tokens (--tokens), or say --insecure where everybody on the network may write.',
};

class WebSocketReceiver implements Receiver {
  readonly host: string;
  readonly port: number;
  readonly url: string;
  readonly #server: HttpServer;
  readonly #connections: Connections;
  readonly #log: Log;
  readonly #forgetTokens: (() => void) | undefined;
  #closed: Promise<void> | undefined;

  constructor(server: HttpServer, connections: Connections, log: Log, forgetTokens?: () => void) {
    this.host = server.host;
    this.port = server.port;
    this.url = server.url('ws');
    this.#server = server;
    this.#connections = connections;
    this.#log = log;
    this.#forgetTokens = forgetTokens;
  }

  useTls(tls: TlsFiles): void {
    this.#server.useTls(tls);
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    this.#forgetTokens?.();
    const waitedForAll = await this.#server.end(this.#connections.shutdown());
    if (!waitedForAll)
      this.#log.warn('commits took too long: the rest was cut', { sessions: this.#connections.size });
  }
}

/** A health check has no body, and is answered at once. */
function httpLimits({ requestMs, shutdownMs }: ReceiverLimits) {
  return {
    requestMs,
    bodyBytes: 0,
    stallMs: requestMs,
    keepAliveMs: 0,
    endMs: shutdownMs,
    unadmitted: UNADMITTED_LIMITS,
  };
}
