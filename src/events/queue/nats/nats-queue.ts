import type {
  Consumer,
  ConsumerMessages,
  JetStreamClient,
  JetStreamManager,
  JsMsg,
} from '@nats-io/jetstream';
import { headers, type NatsConnection } from '@nats-io/transport-node';
import { Limiter } from '../../../flow/limiter.ts';
import { Backoff } from '../../../flow/retry.ts';
import { Wakeup } from '../../../flow/wake-up.ts';
import type { Abortable } from '../../../model/abortable.ts';
import { IsyncError } from '../../../model/isync-error.ts';
import { checkMessages } from '../check-messages.ts';
import type { DeadMessages, EventQueue, QueueCounts, QueueDelivery, QueueMessage } from '../event-queue.ts';
import { NatsDead } from './nats-dead.ts';
import { ID_HEADER, NatsDelivery, type NatsEnding } from './nats-delivery.ts';
import { natsError } from './nats-errors.ts';
import { LEASE_MS, type NatsAddress, type NatsOptions, WAIT_MS } from './nats-options.ts';

/** Messages asked for at a time: few enough that several workers share what is there. */
const FETCH_MESSAGES = 100;
/** Shortest wait that the client allows, in ms. */
const LEAST_WAIT_MS = 1000;
/** Of the lease: how often it is renewed. */
const RENEW_SHARE = 1 / 3;
/** Room for headers below the server's limit of a message, in bytes: a reason, an id and their names. */
const HEADER_BYTES = 32 * 1024;
/** What a server takes by default, in bytes. */
const MAX_PAYLOAD = 1024 * 1024;
/**
 * Shortest and longest delay, in ms. A server of 2.9 miscounts the deliveries of what is given back without any while nobody asks
 * for it.
 */
const DELAY_MS = { least: 100, most: 3_600_000 };
/** How long closing waits for the server, in ms. */
const CLOSE_MS = 5000;
const RETRY_MS = 5000;

export interface NatsParts {
  readonly address: NatsAddress;
  readonly connection: NatsConnection;
  readonly manager: JetStreamManager;
  readonly client: JetStreamClient;
  readonly consumer: Consumer;
  readonly consumerName: string;
}

/** A queue in NATS JetStream. Any number of processes publish and work. */
export class NatsQueue implements EventQueue {
  readonly where: string;
  readonly maxDeliveries = undefined;
  readonly isFifo = false;
  readonly dead: DeadMessages;
  readonly #dead: NatsDead;
  readonly #parts: NatsParts;
  readonly #options: NatsOptions;
  readonly #turn = new Limiter(1);
  /** Delivered to this process, by their sequence. */
  readonly #held = new Map<number, NatsDelivery>();
  /** Those of them that nobody has received yet. */
  #arrived: NatsDelivery[] = [];
  readonly #news = new Wakeup();
  readonly #closing = new AbortController();
  readonly #combined = new WeakMap<AbortSignal, AbortSignal>();
  readonly #renewal: NodeJS.Timeout;
  readonly #backoff = new Backoff({ giveUpAfterMs: undefined, longestDelayMs: RETRY_MS });
  #batch: ConsumerMessages | undefined;
  #fetch: Promise<void> | undefined;
  #fault: IsyncError | undefined;
  #isReachable = true;
  #disposal: Promise<void> | undefined;

  constructor(parts: NatsParts, options: NatsOptions) {
    this.#parts = parts;
    this.#options = options;
    const { where, name } = parts.address;
    this.where = where;
    this.#dead = new NatsDead({ name, where, manager: parts.manager, client: parts.client });
    this.dead = this.#dead;
    this.#renewal = setInterval(() => this.#renew(), (options.leaseMs ?? LEASE_MS) * RENEW_SHARE);
    void this.#followStatus();
  }

  get inHand(): number {
    return this.#held.size;
  }

  get isReachable(): boolean {
    return this.#isReachable;
  }

  async publish(messages: readonly QueueMessage[]): Promise<void> {
    const { client, connection, address } = this.#parts;
    this.#checkOpen();
    checkMessages(messages, (connection.info?.max_payload ?? MAX_PAYLOAD) - HEADER_BYTES);
    // A request would wait for the next connection, and for its timeout.
    if (!this.#isReachable) throw natsError(new Error('disconnected'), this.where);
    const published = messages.map(async ({ id, body }) => {
      const told = headers();
      told.set(ID_HEADER, id);
      await client.publish(`${address.name}.events`, body, { headers: told, msgID: id });
    });
    const results = await Promise.allSettled(published);
    const failed = results.find((result) => result.status === 'rejected');
    if (failed !== undefined) throw natsError(failed.reason, this.where);
  }

  async receive({ signal }: Abortable = {}): Promise<readonly QueueDelivery[]> {
    const either = this.#signalFor(signal);
    return await this.#turn.run(() => this.#receive(either));
  }

  async counts(): Promise<QueueCounts> {
    const { manager, address, consumerName } = this.#parts;
    this.#checkOpen();
    try {
      const [{ state }, { num_ack_pending: inHand }, dead] = await Promise.all([
        manager.streams.info(address.name),
        manager.consumers.info(address.name, consumerName),
        this.#dead.count(),
      ]);
      const oldestMs = state.messages === 0 ? undefined : Date.parse(state.first_ts);
      return { waiting: Math.max(0, state.messages - inHand), inHand, dead, oldestMs };
    } catch (error) {
      throw natsError(error, this.where);
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return (this.#disposal ??= this.#dispose());
  }

  async #dispose(): Promise<void> {
    this.#closing.abort(closed());
    clearInterval(this.#renewal);
    const late = AbortSignal.timeout(CLOSE_MS);
    const orLate = new Promise<void>((resolve) => late.addEventListener('abort', () => resolve()));
    this.#batch?.stop();
    await Promise.race([orLate, this.#fetch]);
    for (const delivery of this.#held.values()) if (!delivery.isEnding) void delivery.release(0);
    const flushed = this.#parts.connection.flush().catch(() => undefined);
    const ended = Promise.all(Array.from(this.#held.values(), (delivery) => delivery.ack()));
    await Promise.race([orLate, Promise.all([flushed, ended])]);
    await this.#parts.connection.close();
    this.#held.clear();
  }

  async #receive(signal: AbortSignal): Promise<readonly QueueDelivery[]> {
    const endMs = performance.now() + (this.#options.waitMs ?? WAIT_MS);
    for (;;) {
      signal.throwIfAborted();
      const deliveries = this.#arrived;
      if (deliveries.length > 0) {
        this.#arrived = [];
        return deliveries;
      }
      const leftMs = endMs - performance.now();
      if (leftMs <= 0) return [];
      await this.#waitOutFault(signal);
      this.#fetch ??= this.#fetchSome(leftMs);
      await this.#news.sleep(leftMs, signal);
    }
  }

  async #waitOutFault(signal: AbortSignal): Promise<void> {
    const fault = this.#fault;
    if (fault === undefined) return;
    this.#fault = undefined;
    if (!fault.retryable) throw fault;
    if (this.#backoff.failures === 0)
      this.#options.log.warn('nothing can be received; it is tried again', { err: fault });
    await this.#backoff.wait({ signal });
  }

  /** Never rejects. */
  async #fetchSome(leftMs: number): Promise<void> {
    try {
      const expires = Math.max(LEAST_WAIT_MS, Math.ceil(leftMs));
      this.#batch = await this.#parts.consumer.fetch({ max_messages: FETCH_MESSAGES, expires });
      if (this.#closing.signal.aborted) this.#batch.stop();
      for await (const message of this.#batch) this.#arrive(message);
      this.#backoff.succeeded();
    } catch (error) {
      this.#fault = natsError(error, this.where);
    }
    this.#batch = undefined;
    this.#fetch = undefined;
    this.#news.wake();
  }

  /** Delivered again while it is in hand, it goes on: what is told counts for its last delivery. */
  #arrive(message: JsMsg): void {
    const held = this.#held.get(message.seq);
    if (held !== undefined) return held.deliveredAgain(message);
    const delivery = new NatsDelivery(message, (each, ending) => this.#end(each, ending));
    this.#held.set(message.seq, delivery);
    this.#arrived.push(delivery);
    this.#news.wake();
  }

  async #end(delivery: NatsDelivery, ending: NatsEnding): Promise<void> {
    try {
      if (ending.how === 'release') {
        const delayMs = Math.min(DELAY_MS.most, Math.max(DELAY_MS.least, Math.ceil(ending.delayMs)));
        delivery.message.nak(delayMs);
        // The server has read it, then.
        await this.#parts.connection.flush();
      } else {
        // The dead one first: killed between both, it is there twice and not lost.
        if (ending.how === 'bury') await this.#dead.add(delivery, ending.reason);
        await delivery.message.ackAck();
      }
    } catch (err) {
      const fields = { message: delivery.id, told: ending.how, err: natsError(err, this.where) };
      this.#options.log.warn('the queue could not be told of a message; it comes again', fields);
    }
    this.#held.delete(delivery.seq);
  }

  #renew(): void {
    if (!this.#isReachable) return;
    for (const delivery of this.#held.values()) if (!delivery.isEnding) delivery.message.working();
  }

  async #followStatus(): Promise<void> {
    for await (const { type } of this.#parts.connection.status()) {
      if (type === 'disconnect' || type === 'reconnect') {
        this.#isReachable = type === 'reconnect';
        const { log } = this.#options;
        if (type === 'disconnect') log.warn('NATS is away; it is tried again', { queue: this.where });
        else log.info('NATS is there again', { queue: this.where });
        // The server has forgotten who asked.
        this.#batch?.stop();
      }
    }
  }

  #checkOpen(): void {
    if (this.#closing.signal.aborted) throw closed();
  }

  #signalFor(signal: AbortSignal | undefined): AbortSignal {
    if (signal === undefined) return this.#closing.signal;
    let either = this.#combined.get(signal);
    if (either === undefined) {
      either = AbortSignal.any([signal, this.#closing.signal]);
      this.#combined.set(signal, either);
    }
    return either;
  }
}

function closed(): IsyncError {
  return new IsyncError('INTERRUPTED', 'the queue is closed');
}
