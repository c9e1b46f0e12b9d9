import { type Channel, Connection } from 'rabbitmq-client';
import { IsyncError } from '../../model/isync-error.ts';
import type { Log } from '../../model/log.ts';
import type { AmqpAddress } from './amqp-address.ts';
import { amqpError } from './amqp-errors.ts';

/** Longest frame, in bytes: what RabbitMQ takes by default. The client's own would cut a body into 8 KiB. */
const FRAME_BYTES = 131_072;
/** In s: a connection that is dead without a sign is noticed after two of them. */
const HEARTBEAT_S = 10;
/** Between tries to reach a broker again, in ms: a restart is over soon. */
const RETRY_MS = { least: 250, most: 5000 };
/** To reach it, in ms, and to get a channel then. */
const CONNECT_MS = 10_000;
/** How long closing waits for the broker, in ms. */
const CLOSE_MS = 2000;

/** A connection to a broker, which comes back by itself. */
export class AmqpLink implements AsyncDisposable {
  readonly where: string;
  readonly #connection: Connection;
  readonly #log: Log;
  /** Those that are open: the client closes none of them by itself, and waits for all. */
  readonly #channels = new Set<Channel>();
  #isReachable = false;
  #isBlocked = false;
  #isClosing = false;
  /** What the last try ended with. */
  #fault: unknown;

  private constructor(address: AmqpAddress, log: Log) {
    const { hosts, user, pass, vhost, isTls, where } = address;
    this.where = where;
    this.#log = log;
    this.#connection = new Connection({
      hosts: [...hosts],
      username: user,
      password: pass,
      vhost,
      tls: isTls,
      connectionName: 'isync',
      frameMax: FRAME_BYTES,
      heartbeat: HEARTBEAT_S,
      retryLow: RETRY_MS.least,
      retryHigh: RETRY_MS.most,
      connectionTimeout: CONNECT_MS,
      acquireTimeout: CONNECT_MS,
      noDelay: true,
    });
    this.#connection.on('connection', () => this.#came());
    this.#connection.on('error', (error: unknown) => this.#failed(error));
    this.#connection.on('connection.blocked', () => this.#block(true));
    this.#connection.on('connection.unblocked', () => this.#block(false));
  }

  /** @throws IsyncError UNREACHABLE, STORE_REFUSED, TLS_FAILED */
  static async open(address: AmqpAddress, log: Log): Promise<AmqpLink> {
    const link = new AmqpLink(address, log);
    try {
      await link.#firstTry();
      return link;
    } catch (error) {
      link.#isClosing = true;
      link.#connection.unsafeDestroy();
      const told = amqpError(error, address.where);
      if (told.code !== 'BUSY') throw told;
      throw new IsyncError('UNREACHABLE', told.message, { path: address.where, cause: error });
    }
  }

  get isReachable(): boolean {
    return this.#isReachable;
  }

  /** Whether the broker reads nothing from us until it has room again. */
  get isBlocked(): boolean {
    return this.#isBlocked;
  }

  /**
   * A channel of the connection that stands. Whoever takes it closes it, and hears by 'error' why the broker did.
   * @throws IsyncError BUSY at once while there is none
   */
  async channel(): Promise<Channel> {
    if (!this.#isReachable) throw amqpError(this.#fault ?? new Error('not connected'), this.where);
    try {
      const channel = await this.#connection.acquire({ emitErrorsFromChannel: true });
      this.#channels.add(channel);
      channel.once('close', () => this.#channels.delete(channel));
      return channel;
    } catch (error) {
      throw amqpError(error, this.where);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosing = true;
    this.#isReachable = false;
    const { promise: late, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, CLOSE_MS);
    await Promise.race([this.#close(), late]);
    clearTimeout(timer);
    this.#connection.unsafeDestroy();
  }

  async #close(): Promise<void> {
    await Promise.all(Array.from(this.#channels, (channel) => channel.close()));
    await this.#connection.close();
  }

  async #firstTry(): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#connection.once('connection', resolve);
    this.#connection.once('error', reject);
    await promise;
  }

  #came(): void {
    if (this.#fault !== undefined) this.#log.info('RabbitMQ is there again', { queue: this.where });
    this.#fault = undefined;
    this.#isReachable = true;
  }

  #failed(error: unknown): void {
    if (this.#isClosing) return;
    // Told once for each outage.
    if (this.#isReachable)
      this.#log.warn('RabbitMQ is away; it is tried again', {
        queue: this.where,
        err: amqpError(error, this.where),
      });
    this.#isReachable = false;
    this.#isBlocked = false;
    this.#fault = error;
  }

  #block(isBlocked: boolean): void {
    this.#isBlocked = isBlocked;
    if (isBlocked)
      this.#log.warn('RabbitMQ takes nothing: its disk or its memory is short', { queue: this.where });
    else this.#log.info('RabbitMQ takes messages again', { queue: this.where });
  }
}
