import type { Consumer, JetStreamClient, JetStreamManager } from '@nats-io/jetstream';
import { headers, type NatsConnection } from '@nats-io/transport-node';
import type { Log } from '../../../model/log.ts';
import type { Abortable } from '../../../model/abortable.ts';
import { ID_HEADER } from '../../nats/nats-delivery.ts';
import { natsError } from '../../nats/nats-errors.ts';
import { LEASE_MS } from '../../nats/nats-place.ts';
import { closedError, NatsReceiver } from '../../nats/nats-receiver.ts';
import { checkMessages } from '../check-messages.ts';
import type { DeadMessages, EventQueue, QueueCounts, QueueDelivery, QueueMessage } from '../event-queue.ts';
import { NatsDead } from './nats-dead.ts';
import { NatsFailures } from './nats-failures.ts';
import type { NatsAddress, NatsOptions } from './nats-options.ts';
import { trustedMs, whatIsSeen } from './seen-consumer.ts';

/** Room for headers below the server's limit of a message, in bytes: a reason, an id and their names. */
const HEADER_BYTES = 32 * 1024;
/** How long a publish that was refused says that the next one may be, in ms: whoever asks us may send none till then. */
const REFUSED_MS = 10_000;
/** What a server takes by default, in bytes. */
const MAX_PAYLOAD = 1024 * 1024;

export interface NatsParts {
  readonly address: NatsAddress;
  readonly connection: NatsConnection;
  readonly manager: JetStreamManager;
  readonly client: JetStreamClient;
  readonly consumer: Consumer;
  readonly consumerName: string;
  /** Whether the stream for failures could be made. */
  readonly countsFailures: boolean;
  /** Makes what is missing of streams and consumer. */
  readonly make: () => Promise<void>;
}

/** A queue in NATS JetStream. Any number of processes publish and work. */
export class NatsQueue implements EventQueue {
  readonly where: string;
  readonly maxDeliveries = undefined;
  readonly isFifo = false;
  readonly dead: DeadMessages;
  readonly #dead: NatsDead;
  readonly #parts: NatsParts;
  readonly #receiver: NatsReceiver;
  #disposal: Promise<void> | undefined;
  #mending: Promise<void> | undefined;
  #refusedUntilMs = -Infinity;
  readonly #leaseMs: number;
  /** How stream and consumer were when nothing came last, and since when they are so. */
  #seen: { readonly seen: string; readonly sinceMs: number } | undefined;

  constructor(parts: NatsParts, { leaseMs = LEASE_MS, waitMs, ahead, log }: NatsOptions) {
    this.#parts = parts;
    this.#leaseMs = leaseMs;
    const { connection, consumer, manager, client, countsFailures } = parts;
    const { where, name } = parts.address;
    this.where = where;
    this.#dead = new NatsDead({ name, where, manager, client });
    this.dead = this.#dead;
    this.#receiver = new NatsReceiver({
      connection,
      consumer,
      where,
      leaseMs,
      waitMs,
      ahead,
      bury: (delivery, reason) => this.#dead.add(delivery, reason),
      failures: new NatsFailures({
        name,
        where,
        manager,
        client,
        isThere: countsFailures,
        mend: () => this.#mend(),
        log,
      }),
      mend: () => this.#mend(),
      idle: () => this.#deliverForgotten(log),
      log,
    });
  }

  get inHand(): number {
    return this.#receiver.inHand;
  }

  get isReachable(): boolean {
    return (
      this.#receiver.isReachable && !this.#receiver.isFailing && performance.now() >= this.#refusedUntilMs
    );
  }

  async publish(messages: readonly QueueMessage[]): Promise<void> {
    const { client, connection, address } = this.#parts;
    this.#checkOpen();
    checkMessages(messages, (connection.info?.max_payload ?? MAX_PAYLOAD) - HEADER_BYTES);
    // A request would wait for the next connection, and for its timeout.
    if (!this.#receiver.isReachable) throw natsError(new Error('disconnected'), this.where);
    const published = messages.map(async ({ id, body }) => {
      const told = headers();
      told.set(ID_HEADER, id);
      await client.publish(`${address.name}.events`, body, { headers: told, msgID: id });
    });
    const results = await Promise.allSettled(published);
    const failed = results.find((result) => result.status === 'rejected');
    this.#refusedUntilMs = failed === undefined ? -Infinity : performance.now() + REFUSED_MS;
    if (failed === undefined) return;
    // It may have been deleted: nobody receives here who would find that.
    void this.#mend();
    throw natsError(failed.reason, this.where);
  }

  receive(options?: Abortable): Promise<readonly QueueDelivery[]> {
    return this.#receiver.receive(options);
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
    return (this.#disposal ??= this.#receiver.close());
  }

  /**
   * A server that is killed may keep a message and forget that it is to be delivered, and wait for word of one that is gone: the
   * consumer is written apart from the stream. A new consumer delivers all that is there. Never rejects.
   */
  async #deliverForgotten(log: Log): Promise<void> {
    const { manager, address, consumerName } = this.#parts;
    const before = this.#seen;
    this.#seen = undefined;
    try {
      const [{ state }, consumer] = await Promise.all([
        manager.streams.info(address.name),
        manager.consumers.info(address.name, consumerName),
      ]);
      const seen = whatIsSeen(state, consumer);
      const nowMs = performance.now();
      const sinceMs = before?.seen === seen ? before.sinceMs : nowMs;
      this.#seen = { seen, sinceMs };
      // What was published or acknowledged between the two answers is seen as it is the next time.
      if (nowMs - sinceMs < trustedMs(state, consumer, this.#leaseMs)) return;
      log.warn('the server has forgotten to deliver messages; they are asked for anew', {
        queue: this.where,
        messages: state.messages,
      });
      await manager.consumers.delete(address.name, consumerName);
      await this.#mend();
    } catch (error) {
      log.debug('the queue could not be looked at', { err: natsError(error, this.where) });
    }
  }

  /** Many fail at a time. Never rejects. */
  #mend(): Promise<void> {
    this.#mending ??= this.#parts
      .make()
      .catch(() => undefined)
      .finally(() => (this.#mending = undefined));
    return this.#mending;
  }

  #checkOpen(): void {
    if (this.#receiver.isClosed) throw closedError();
  }
}
