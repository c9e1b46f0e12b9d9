import { once } from 'node:events';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { TaskGroup } from '../flow/task-group.ts';
import { errnoOf } from '../model/isync-error.ts';
import type { Log } from '../model/log.ts';
import { answer } from './answer.ts';
import { createServer, replaceTls, type TlsFiles } from './create-server.ts';
import type { HttpHandler } from './handler.ts';
import { type ListenAddress, listenError, urlOf } from './listen-address.ts';
import { requestOf } from './node-request.ts';
import { send } from './node-response.ts';
import { isTls, refuse, statusOfBroken } from './refuse-broken.ts';
import { remoteAddressOf } from './remote-address.ts';
import type { ThrottledLog } from './throttled-log.ts';
import { UnadmittedConnections, type UnadmittedLimits } from './unadmitted-connections.ts';

export interface HttpLimits {
  /** For a TLS handshake, and for a whole request with its body, in ms. */
  readonly requestMs: number;
  /** For the head of a request, in ms. Default: `requestMs`. */
  readonly headerMs?: number | undefined;
  /** Head of a request, in bytes. Default: 8 KiB. */
  readonly headBytes?: number | undefined;
  /** Body of a request, in bytes. It counts where the handler reads the body. */
  readonly bodyBytes: number;
  /** For a client to read something of a response, in ms. */
  readonly stallMs: number;
  /** Between two requests of a connection, in ms. With 0 a connection serves one request. */
  readonly keepAliveMs: number;
  /**
   * How long a client that has ended its side waits for an answer to begin, in ms. One that has left looks just the same, until it is
   * answered. Default: it has left.
   */
  readonly halfClosedMs?: number | undefined;
  /** For responses under way when the server ends, in ms. */
  readonly endMs: number;
  readonly unadmitted: UnadmittedLimits;
  /** At a time, admitted or not: one more is closed at once. Default: any number. */
  readonly connections?: number | undefined;
}

export interface ServerOptions {
  readonly listen: ListenAddress;
  readonly tls: TlsFiles | undefined;
  readonly limits: HttpLimits;
  readonly handler: HttpHandler;
  /** Takes over the socket of a request to upgrade. Without this, such a request goes to the handler. */
  readonly onUpgrade?: ((upgrade: UpgradeRequest) => void) | undefined;
  readonly log: Log;
  /** Told what anybody who connects can cause. */
  readonly warnings: ThrottledLog;
}

export interface UpgradeRequest {
  readonly request: IncomingMessage;
  readonly socket: Duplex;
  /** What has arrived behind the request. */
  readonly head: Buffer;
  /** To be called when the peer has been let in: its socket makes way for no newcomer any more. */
  readonly admitted: () => void;
}

export interface HttpServer extends AsyncDisposable {
  readonly host: string;
  /** The port in use, also where 0 was asked for. */
  readonly port: number;
  /** `http` stands for itself and, with TLS, for `https`; `ws` likewise. */
  url(scheme: 'http' | 'ws'): string;
  /**
   * Has new connections served with another certificate; those that stand stay.
   * @throws IsyncError CONFIG_INVALID: it can't be used, and the one from before stays
   */
  useTls(tls: TlsFiles): void;
  /**
   * Takes no new connection, waits for responses under way and for `upgraded`, then cuts all sockets. Resolves with
   * whether it waited for all of them, or else `endMs` passed. Idempotent.
   */
  end(upgraded?: Promise<unknown>): Promise<boolean>;
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * Listens, and answers each request with the response of the handler.
 * @throws IsyncError CONFIG_INVALID: unusable certificate, or no such address to listen on
 */
export async function startServer(options: ServerOptions): Promise<HttpServer> {
  const server = new NodeServer(options);
  await server.listen();
  return server;
}

class NodeServer implements HttpServer {
  readonly host: string;
  readonly #options: ServerOptions;
  readonly #server: Server;
  /** Every socket there is, also those of upgrades. */
  readonly #sockets = new Set<Socket>();
  readonly #unadmitted: UnadmittedConnections;
  readonly #answering = new TaskGroup();
  /** Responses under way, of which a client that sends requests ahead has several. */
  readonly #responses = new WeakMap<Duplex, Set<ServerResponse>>();
  #port = 0;
  #ended: Promise<boolean> | undefined;

  constructor(options: ServerOptions) {
    const { listen, tls, limits, onUpgrade } = options;
    this.host = listen.host;
    this.#options = options;
    this.#unadmitted = new UnadmittedConnections(limits.unadmitted);
    this.#server = createServer({
      ...limits,
      tls,
      allowHalfClosed: limits.halfClosedMs !== undefined,
      onRequest: (request, response) => this.#answering.add(this.#answer(request, response)),
    });
    this.#server.on('connection', (socket: Socket) => this.#enter(socket));
    if (limits.connections !== undefined) {
      this.#server.maxConnections = limits.connections;
      this.#server.on('drop', (dropped?: { readonly remoteAddress?: string | undefined }) => {
        this.#options.warnings.warn(
          'too many connections: the newest was closed',
          `${dropped?.remoteAddress ?? '?'}:?`,
        );
      });
    }
    if (onUpgrade !== undefined)
      this.#server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
        onUpgrade({ request, socket, head, admitted: () => this.#admitted(socket) });
      });
    this.#warnOfBroken();
  }

  get port(): number {
    return this.#port;
  }

  url(scheme: 'http' | 'ws'): string {
    return urlOf(this.#options.tls === undefined ? scheme : `${scheme}s`, this);
  }

  async listen(): Promise<void> {
    const { listen, log } = this.#options;
    try {
      this.#server.listen({ host: listen.host, port: listen.port });
      await once(this.#server, 'listening');
    } catch (error) {
      throw listenError(error, listen);
    }
    this.#server.on('error', (error) => log.error('fault in the listening socket', { err: error }));
    const address = this.#server.address();
    if (typeof address === 'object' && address !== null) this.#port = address.port;
  }

  useTls(tls: TlsFiles): void {
    replaceTls(this.#server, tls);
  }

  end(upgraded?: Promise<unknown>): Promise<boolean> {
    this.#ended ??= this.#end(upgraded);
    return this.#ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end();
  }

  async #end(upgraded?: Promise<unknown>): Promise<boolean> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    const done = new AbortController();
    const waitedForAll = await Promise.race([
      Promise.all([upgraded, this.#answering.idle()]).then(() => true),
      delay(this.#options.limits.endMs, false, { signal: done.signal }).catch(() => false),
    ]);
    done.abort();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
    return waitedForAll;
  }

  async #answer(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const { handler, limits, log, warnings } = this.#options;
    const responses = this.#responsesOn(incoming.socket).add(response);
    const request = requestOf(incoming, response, {
      bodyBytes: limits.bodyBytes,
      admitted: () => this.#admitted(incoming.socket),
    });
    const answered = await answer(handler, request, log);
    if (limits.keepAliveMs === 0 || this.#ended !== undefined) response.shouldKeepAlive = false;
    try {
      await send(response, answered, limits.stallMs);
    } catch (error) {
      const clientLeft = errnoOf(error) === 'ERR_STREAM_PREMATURE_CLOSE' || error === request.signal.reason;
      // A body that many read fails for each of them.
      if (!clientLeft)
        warnings.warn('the body of a response failed: its connection was cut', `${request.remoteAddress}:?`, {
          err: error,
        });
      response.destroy();
    } finally {
      responses.delete(response);
    }
  }

  #responsesOn(socket: Duplex): Set<ServerResponse> {
    let responses = this.#responses.get(socket);
    if (responses === undefined) this.#responses.set(socket, (responses = new Set()));
    return responses;
  }

  #enter(socket: Socket): void {
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
    const { halfClosedMs } = this.#options.limits;
    if (halfClosedMs !== undefined) socket.once('end', () => this.#halfClosed(socket, halfClosedMs));
    if (this.#unadmitted.enter(socket) > 0)
      this.#options.warnings.warn(
        'too many connections that are not admitted: the oldest was cut',
        remoteAddressOf(socket),
      );
  }

  #halfClosed(socket: Socket, ms: number): void {
    const timer = setTimeout(() => {
      const responses = [...this.#responsesOn(socket)];
      if (responses.some(({ headersSent }) => !headersSent)) socket.destroy();
    }, ms);
    socket.once('close', () => clearTimeout(timer));
  }

  #admitted(socket: Duplex): void {
    if (socket instanceof Socket) this.#unadmitted.leave(socket);
  }

  #warnOfBroken(): void {
    const { warnings } = this.#options;
    const handshakes = new WeakSet<Duplex>();
    // Node's own listener makes a clientError of it, for which the socket is destroyed and then knows no address: be first.
    this.#server.prependListener('tlsClientError', (error: Error, socket: Duplex) => {
      handshakes.add(socket);
      warnings.warn('TLS handshake failed', remoteAddressOf(socket), { reason: error.message });
    });
    this.#server.on('clientError', (error: Error, socket: Duplex) => {
      if (handshakes.has(socket)) {
        socket.destroy();
        return;
      }
      warnings.warn('not an HTTP request', remoteAddressOf(socket), { reason: error.message });
      // Behind the head of another response it would look like a part of it.
      const isAnswering = [...this.#responsesOn(socket)].some(({ headersSent }) => headersSent);
      if (isAnswering || isTls(error)) socket.destroy();
      else refuse(socket, statusOfBroken(error));
    });
    // Nobody is connected to anywhere. Node cuts the connection where nobody listens.
    this.#server.on('connect', (_: IncomingMessage, socket: Duplex) =>
      refuse(socket, '405 Method Not Allowed', 'Allow: GET\r\n'),
    );
  }
}
