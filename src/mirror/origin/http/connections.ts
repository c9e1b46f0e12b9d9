import type { Socket } from 'node:net';
import { type buildConnector, Client } from 'undici';
import { ResponseMeter } from './response-meter.ts';

/** Idle connections that are kept for later requests, of all hosts: a fill of small objects at the widest concurrency in use. */
const MOST_IDLE = 64;
/** Largest head of a response, in bytes: what other servers and proxies take, twice over. Beyond it the connection is cut. */
const MOST_HEAD_BYTES = 32 * 1024;
/** How long a connection waits for the next request, in ms: less than servers keep theirs (nginx 75 s, Apache 5 s). */
const IDLE_MS = 4_000;

/**
 * Connections to HTTP servers, each for one request at a time. undici's own pool doesn't tell on which connection a response comes,
 * and so neither whether more came there than the response has, nor whether the connection had been used before.
 */
export class Connections implements AsyncDisposable {
  readonly #connect: buildConnector.connector;
  /** The one used last at the end. */
  #idle: Connection[] = [];
  readonly #all = new Set<Connection>();

  constructor(connect: buildConnector.connector) {
    this.#connect = connect;
  }

  /**
   * One that nobody else uses.
   * @param origin `scheme://host:port`
   * @param fresh never one that has been used before
   */
  take(origin: string, fresh: boolean): Connection {
    const at = fresh
      ? -1
      : this.#idle.findLastIndex((connection) => connection.origin === origin && connection.isOpen);
    const [found] = at === -1 ? [] : this.#idle.splice(at, 1);
    if (found !== undefined) return found;
    const made = new Connection(origin, this.#connect);
    this.#all.add(made);
    return made;
  }

  /** The request on it has ended, however it did. */
  giveBack(connection: Connection): void {
    const all = [...this.#idle, connection];
    this.#idle = all.filter(({ isOpen }) => isOpen).slice(-MOST_IDLE);
    for (const each of all) if (!this.#idle.includes(each)) void this.#end(each);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#idle = [];
    await Promise.all([...this.#all].map((connection) => this.#end(connection)));
  }

  async #end(connection: Connection): Promise<void> {
    this.#all.delete(connection);
    await connection.client.destroy();
  }
}

export class Connection {
  readonly origin: string;
  readonly client: Client;
  #socket: Socket | undefined;
  #meter: ResponseMeter | undefined;

  constructor(origin: string, connect: buildConnector.connector) {
    this.origin = origin;
    this.client = new Client(origin, {
      connect: (options, callback) =>
        connect(options, (...answer) => {
          const [error, socket] = answer;
          if (error === null) {
            this.#socket = socket;
            this.#meter = new ResponseMeter(socket);
          }
          callback(...answer);
        }),
      maxHeaderSize: MOST_HEAD_BYTES,
      keepAliveTimeout: IDLE_MS,
      keepAliveMaxTimeout: IDLE_MS,
      // Deadlines are those of the request: undici's own are a second wide.
      headersTimeout: 0,
      bodyTimeout: 0,
    });
  }

  /** Whether the next request goes over a connection that stands already. */
  get isOpen(): boolean {
    return this.#socket?.destroyed === false;
  }

  /** Bytes that have come behind the head of the last response. */
  get bodyBytes(): number {
    return this.#meter?.bodyBytes ?? 0;
  }

  /** To be called before each request. */
  begin(): void {
    this.#meter?.begin();
  }
}
