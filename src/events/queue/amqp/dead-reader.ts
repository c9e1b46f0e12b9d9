import { setTimeout as delay } from 'node:timers/promises';
import type { AsyncMessage, Channel } from 'rabbitmq-client';
import { retrying } from '../../../flow/retry.ts';
import { Wakeup } from '../../../flow/wake-up.ts';
import { amqpError } from '../../amqp/amqp-errors.ts';
import type { AmqpLink } from '../../amqp/amqp-link.ts';
import { deathOf, HEADERS, readMessage } from '../../amqp/read-message.ts';
import type { DeadMessage } from '../event-queue.ts';
import type { QueueNames } from './amqp-queues.ts';

/** Messages read at a time. */
const PAGE_MESSAGES = 500;
/** How long nothing may come though there was more, in ms: somebody else has taken it. */
const QUIET_MS = 3000;
/** How long somebody else may read the dead messages until we give up, in ms. */
const LOCK_MS = 10_000;
/** RabbitMQ gathers what comes faster than its queue works, and mixes it: up to 32 pass one by one, and keep their order. */
const RETURNED_AT_ONCE = 32;
/** How long what was given back may take to be seen again, and how often that is looked at, in ms. */
const RETURN_MS = 5000;
const LOOK_MS = 2;

/** A dead message that is received, and neither given back nor removed yet. */
export interface ReadDead {
  readonly message: DeadMessage;
  readonly deliveryTag: number;
  /** Later ones have more. */
  readonly order: number;
}

/**
 * Reads all dead messages. A broker can't be asked what is in a queue: they are received, all of them, and given back one by one
 * in their order. Nobody else sees them meanwhile, so one process at a time does that, by a queue that belongs to its connection.
 */
export class DeadReader implements AsyncDisposable {
  readonly #channel: Channel;
  readonly #names: QueueNames;
  readonly #where: string;
  /** Those that were there at the start and were not read yet. */
  #left: number;
  /** Received, and to be given back: their tags, with their order. */
  readonly #kept = new Map<number, number>();

  private constructor(channel: Channel, names: QueueNames, where: string, count: number) {
    this.#channel = channel;
    this.#names = names;
    this.#where = where;
    this.#left = count;
  }

  /** @throws IsyncError BUSY, also while another process reads */
  static async open(link: AmqpLink, names: QueueNames): Promise<DeadReader> {
    const policy = { giveUpAfterMs: LOCK_MS };
    return await retrying(() => DeadReader.#tryToOpen(link, names), policy, {
      isRetryable: () => link.isReachable,
    });
  }

  static async #tryToOpen(link: AmqpLink, names: QueueNames): Promise<DeadReader> {
    const channel = await link.channel();
    channel.on('error', () => undefined);
    try {
      await channel.queueDeclare({ queue: names.lock, exclusive: true });
      const { messageCount } = await channel.queueDeclare({ queue: names.dead, passive: true });
      return new DeadReader(channel, names, link.where, messageCount);
    } catch (error) {
      throw amqpError(error, link.where);
    }
  }

  /** Those that are received right now: the broker does not count them. */
  get outOfSight(): number {
    return this.#kept.size;
  }

  /** The next ones in the order of their burial; none at the end. */
  async page(): Promise<readonly ReadDead[]> {
    const wanted = Math.min(PAGE_MESSAGES, this.#left);
    if (wanted === 0) return [];
    try {
      const messages = await this.#receive(wanted);
      this.#left = messages.length < wanted ? 0 : this.#left - wanted;
      for (const { deliveryTag, order } of messages) this.#kept.set(deliveryTag, order);
      return messages;
    } catch (error) {
      throw amqpError(error, this.#where);
    }
  }

  /** Takes it out of the queue for good. */
  remove({ deliveryTag }: ReadDead): void {
    this.#kept.delete(deliveryTag);
    this.#channel.basicAck({ deliveryTag });
  }

  /** Reads what is left, as only then all can be given back in their order. Never rejects. */
  async [Symbol.asyncDispose](): Promise<void> {
    try {
      while ((await this.page()).length > 0);
      // A reader that was killed has mixed them.
      const inOrder = [...this.#kept].toSorted(([, a], [, b]) => a - b);
      const before = await this.#count();
      for (let at = 0; at < inOrder.length; at += RETURNED_AT_ONCE) {
        const returned = inOrder.slice(at, at + RETURNED_AT_ONCE);
        for (const [deliveryTag] of returned) this.#channel.basicNack({ deliveryTag, requeue: true });
        await this.#untilSeen(before + at + returned.length);
      }
      await this.#channel.queueDelete({ queue: this.#names.lock });
    } catch {
      // The connection is gone, and with it our hold on them.
    }
    this.#kept.clear();
    await this.#channel.close();
  }

  async #receive(wanted: number): Promise<readonly ReadDead[]> {
    const messages: ReadDead[] = [];
    const news = new Wakeup();
    const over = new AbortController();
    const close = (): void => over.abort();
    this.#channel.once('close', close);
    await this.#channel.basicQos({ prefetchCount: wanted });
    const { consumerTag } = await this.#channel.basicConsume({ queue: this.#names.dead }, (message) => {
      messages.push(readDead(message));
      news.wake();
    });
    for (let before = -1; messages.length < wanted && messages.length > before;) {
      before = messages.length;
      await news.sleep(QUIET_MS, over.signal);
    }
    this.#channel.off('close', close);
    await this.#channel.basicCancel(consumerTag);
    return messages;
  }

  async #untilSeen(count: number): Promise<void> {
    const untilMs = performance.now() + RETURN_MS;
    for (;;) {
      if ((await this.#count()) >= count || performance.now() > untilMs) return;
      await delay(LOOK_MS);
    }
  }

  async #count(): Promise<number> {
    return (await this.#channel.queueDeclare({ queue: this.#names.dead, passive: true })).messageCount;
  }
}

function readDead(given: AsyncMessage): ReadDead {
  const { deliveryTag } = given;
  const order = Number(readMessage(given).header(HEADERS.buriedMs) ?? 0);
  return { message: deadMessage(given, Math.floor(order)), deliveryTag, order };
}

function deadMessage(given: AsyncMessage, buriedMs: number): DeadMessage {
  const { id, body, attempt, sentMs = 0, header } = readMessage(given);
  const reason = header(HEADERS.reason);
  // Not by us: a policy of the broker says after how long, or how many deliveries, it gives a message up.
  if (reason === undefined)
    return {
      id,
      body,
      reason: `RabbitMQ has given it up: ${deathOf(given)}`,
      attempts: attempt,
      sentMs,
      buriedMs,
    };
  return { id, body, reason, attempts: Number(header(HEADERS.attempts) ?? 0), sentMs, buriedMs };
}
