import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingMessage, Server } from 'node:http';
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import { IsyncError } from '../model/isync-error.ts';
import { MAX_MESSAGE_BYTES, SUBPROTOCOL } from '../protocol/limits.ts';
import type { Store } from '../store/store.ts';
import { Connection } from './connection.ts';
import { UnadmittedConnections } from '../http/unadmitted-connections.ts';
import { withFullLog } from './full-log.ts';
import { createServer, type TlsFiles } from '../http/server.ts';
import { checkExposure, isLoopback, type ListenAddress, listenError, urlOf } from '../http/listen-address.ts';
import { IdentityLookup } from './identity-lookup.ts';
import { MemoryBudget } from './memory-budget.ts';
import {
  DEFAULT_MAX_CONNECTIONS,
  UNADMITTED_LIMITS,
  MAX_BUFFERED_READS,
  MAX_FRAGMENTS,
  MAX_SESSIONS_OF_DEVICE,
  RECEIVER_LIMITS,
  type ReceiverLimits,
} from './receiver-limits.ts';
import type { Log } from '../model/log.ts';
import { StrangerLog } from './stranger-log.ts';
import type { TokenFile, TokenIdentity } from './token-file.ts';
import { admit, refuse, type Refusal } from './upgrade.ts';
import { WriterFence } from './writer-fence.ts';

export interface ReceiverOptions {
  /** The receiver uses it and leaves closing it to its owner. */
  readonly store: Store;
  readonly listen: ListenAddress;
  /** Who may send; its owner disposes it. Without one everybody who can connect may. */
  readonly tokens?: TokenFile | undefined;
  /** Listen beyond loopback without tokens. */
  readonly insecure?: boolean | undefined;
  /** A certificate of its `ca` is asked for beside the token, not instead. */
  readonly tls?: TlsFiles | undefined;
  /** Sessions at a time. Default {@link DEFAULT_MAX_CONNECTIONS}. */
  readonly maxConnections?: number | undefined;
  /** What this side calls itself to senders. Default "isync". */
  readonly software?: string | undefined;
  readonly limits?: Partial<ReceiverLimits> | undefined;
  readonly log: Log;
}

export interface Receiver extends AsyncDisposable {
  readonly host: string;
  /** The port in use, also where 0 was asked for. */
  readonly port: number;
  /** What a sender is given as its target. */
  readonly url: string;
  /**
   * Takes nothing new, finishes what is being committed and says so, closes every session with 1001. Resolves when
   * all has stopped, or `shutdownMs` have passed and the sockets were cut.
   */
  [Symbol.asyncDispose](): Promise<void>;
}

/** @throws IsyncError CONFIG_INVALID: exposed without tokens, unusable certificate, or no such address to listen on */
export async function startReceiver(options: ReceiverOptions): Promise<Receiver> {
  const { listen, tokens, tls, log } = options;
  checkExposure(listen, tokens !== undefined || options.insecure === true);
  if (tokens !== undefined && tls === undefined && !isLoopback(listen.host))
    log.warn('without TLS, tokens and data cross the network in the clear', { host: listen.host });
  const limits = { ...RECEIVER_LIMITS, ...options.limits };
  const server = createServer(tls, limits.requestMs);
  const receiver = new WebSocketReceiver(server, options, limits);
  await receiver.listen();
  return receiver;
}

class WebSocketReceiver implements Receiver {
  readonly host: string;
  readonly #server: Server;
  readonly #options: ReceiverOptions;
  readonly #limits: ReceiverLimits;
  readonly #maxConnections: number;
  readonly #upgrader: WebSocketServer;
  readonly #connections = new Set<Connection>();
  /** Every socket there is: at most `maxConnections` and those that are not admitted yet. */
  readonly #sockets = new Set<Socket>();
  readonly #unadmitted = new UnadmittedConnections(UNADMITTED_LIMITS);
  readonly #memory: MemoryBudget;
  readonly #fence = new WriterFence();
  readonly #process: string = randomUUID();
  readonly #store: Store;
  readonly #storeIdentity: IdentityLookup;
  readonly #strangers: StrangerLog;
  #stopListening: () => void = () => undefined;
  #port = 0;
  #closed: Promise<void> | undefined;

  constructor(server: Server, options: ReceiverOptions, limits: ReceiverLimits) {
    this.host = options.listen.host;
    this.#server = server;
    this.#options = options;
    this.#limits = limits;
    this.#maxConnections = options.maxConnections ?? DEFAULT_MAX_CONNECTIONS;
    this.#memory = new MemoryBudget(limits.heldBytes, this.#maxConnections);
    this.#store = withFullLog(options.store, options.log);
    this.#storeIdentity = new IdentityLookup(this.#store, options.log);
    this.#strangers = new StrangerLog(options.log);
    this.#upgrader = createUpgrader(limits);
    server.on('connection', (socket: Socket) => this.#enter(socket));
    server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) =>
      this.#upgrade(request, socket, head),
    );
    const handshakes = new WeakSet<Duplex>();
    // Before Node's own listener, which makes a clientError of it, and of that we make an end: then nobody knows the address.
    server.prependListener('tlsClientError', (error: Error, socket: Duplex) => {
      handshakes.add(socket);
      this.#strangers.warn('TLS handshake failed', remoteOf(socket), { reason: error.message });
    });
    server.on('clientError', (error: Error, socket: Duplex) => {
      if (!handshakes.has(socket))
        this.#strangers.warn('not an HTTP request', remoteOf(socket), { reason: error.message });
      socket.destroy();
    });
  }

  get port(): number {
    return this.#port;
  }

  get url(): string {
    return urlOf(this.#options.tls === undefined ? 'ws' : 'wss', this);
  }

  /** @throws IsyncError CONFIG_INVALID */
  async listen(): Promise<void> {
    const { listen, log, tokens } = this.#options;
    try {
      this.#server.listen({ host: listen.host, port: listen.port });
      await once(this.#server, 'listening');
    } catch (error) {
      throw listenError(error, listen);
    }
    this.#server.on('error', (error) => log.error('fault in the listening socket', { err: error }));
    const address = this.#server.address();
    if (typeof address === 'object' && address !== null) this.#port = address.port;
    this.#stopListening = tokens?.onRevoked((ids) => this.#revoke(ids)) ?? this.#stopListening;
    log.info('listening', { url: this.url });
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    this.#stopListening();
    this.#storeIdentity[Symbol.dispose]();
    const stopped = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    const sessions = Promise.all([...this.#connections].map((connection) => connection.shutdown()));
    const deadline = Promise.withResolvers<void>();
    const timer = setTimeout(() => {
      this.#options.log.warn('commits took too long: the rest is cut', { sessions: this.#connections.size });
      deadline.resolve();
    }, this.#limits.shutdownMs);
    await Promise.race([sessions, deadline.promise]);
    clearTimeout(timer);
    for (const socket of this.#sockets) socket.destroy();
    await stopped;
  }

  #enter(socket: Socket): void {
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
    if (this.#unadmitted.enter(socket) > 0)
      this.#strangers.warn('too many sockets without a session: the oldest was cut', remoteOf(socket));
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const remote = remoteOf(socket);
    // Until the WebSocket takes over, an error of the socket has no other listener; the socket is gone then.
    const onError = (error: Error): void =>
      this.#strangers.warn('socket broken before the upgrade', remote, { reason: error.message });
    socket.on('error', onError);
    const admission = this.#admit(request);
    if (!admission.admitted) {
      const { status, message } = admission.refusal;
      this.#strangers.warn(`upgrade refused: ${message}`, remote, { status });
      refuse(socket, admission.refusal);
      return;
    }
    this.#upgrader.handleUpgrade(request, socket, head, (ws) => {
      socket.off('error', onError);
      this.#serve(ws, socket, admission.identity, remote);
    });
  }

  #admit(request: IncomingMessage) {
    const admission = admit(request, this.#options.tokens);
    if (!admission.admitted) return admission;
    if (this.#closed !== undefined) return { admitted: false, refusal: SHUTTING_DOWN } as const;
    if (this.#connections.size >= this.#maxConnections) return { admitted: false, refusal: FULL } as const;
    if (this.#sessionsOf(admission.identity) >= MAX_SESSIONS_OF_DEVICE)
      return { admitted: false, refusal: TOO_MANY } as const;
    return admission;
  }

  /** Without tokens nobody knows yet whose it is. */
  #sessionsOf(identity: TokenIdentity | undefined): number {
    if (identity === undefined) return 0;
    let sessions = 0;
    for (const connection of this.#connections)
      if (connection.identity?.device === identity.device) sessions++;
    return sessions;
  }

  #serve(ws: WebSocket, socket: Duplex, identity: TokenIdentity | undefined, remote: string): void {
    const { software = 'isync', log } = this.#options;
    if (!(socket instanceof Socket)) throw new IsyncError('INTERNAL', 'an upgrade without a socket');
    this.#unadmitted.leave(socket);
    const connection = new Connection({
      ws,
      socket,
      identity,
      store: this.#store,
      storeIdentity: this.#storeIdentity,
      process: this.#process,
      software,
      limits: this.#limits,
      memory: this.#memory,
      fence: this.#fence,
      log: log.with({ remote }),
      onRefused: (code, reason) =>
        this.#strangers.warn(
          'session refused',
          remote,
          { code, reason, ...(identity !== undefined && { tokenOf: identity.device }) },
          `session refused: ${code}`,
        ),
    });
    this.#connections.add(connection);
    void connection.ended.then(() => this.#connections.delete(connection));
  }

  #revoke(ids: ReadonlySet<string>): void {
    for (const connection of this.#connections)
      if (connection.identity !== undefined && ids.has(connection.identity.id)) connection.revoke();
  }
}

const SHUTTING_DOWN: Refusal = { status: 503, code: 'BUSY', message: 'the receiver is shutting down' };
const FULL: Refusal = { status: 503, code: 'BUSY', message: 'the receiver has all the sessions it may have' };
const TOO_MANY: Refusal = {
  status: 503,
  code: 'BUSY',
  message: 'the device has all the sessions it may have',
};

function createUpgrader({ closeMs }: ReceiverLimits): WebSocketServer {
  const options = {
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: MAX_MESSAGE_BYTES,
    maxFragments: MAX_FRAGMENTS,
    maxBufferedChunks: MAX_BUFFERED_READS,
    closeTimeout: closeMs,
    // A text message is refused whatever it says.
    skipUTF8Validation: true,
    handleProtocols: () => SUBPROTOCOL,
  };
  return new WebSocketServer(options);
}

/** ADDRESS:PORT; "?" for what is not known. */
function remoteOf(socket: Duplex): string {
  if (!(socket instanceof Socket)) return '?:?';
  // A TLS socket whose other side hung up knows no address any more. The one below it, which has been asked for it before, does;
  // Node documents no way there.
  const below: unknown = Reflect.get(socket, '_parent');
  const known = socket.remoteAddress === undefined && below instanceof Socket ? below : socket;
  return `${known.remoteAddress ?? '?'}:${known.remotePort ?? '?'}`;
}
