import { setImmediate as turn } from 'node:timers/promises';
import type { Channel } from 'rabbitmq-client';
import { IsyncError } from '../../model/isync-error.ts';
import { amqpError, blockedError, lateError } from './amqp-errors.ts';
import type { AmqpLink } from './amqp-link.ts';

/** How long the broker may take to confirm, in ms: its disk may be slow. */
const CONFIRM_MS = 15_000;

export interface AmqpMessage {
  /** Default: the one that has no name and leads to the queue that the key names. */
  readonly exchange?: string;
  readonly routingKey: string;
  readonly messageId: string;
  readonly body: string;
  readonly contentType?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** After how long the broker takes it out of the queue, in ms. */
  readonly expirationMs?: number;
}

/** Publishes what the broker has for good once a call resolves. */
export class ConfirmedPublisher {
  readonly #link: AmqpLink;
  #opening: Promise<Channel> | undefined;
  #channel: Channel | undefined;
  #count = 0;
  /** Those that no queue took. */
  readonly #returned = new Set<string>();

  constructor(link: AmqpLink) {
    this.#link = link;
  }

  /**
   * Resolves when a queue has it and its disk too. Calls are published in their order.
   * @throws IsyncError STORE_FULL, BUSY (then it may be there), STORE_MISSING where nothing takes it, STORE_REFUSED
   */
  async publish(message: AmqpMessage): Promise<void> {
    const { where, isBlocked } = this.#link;
    if (isBlocked) throw blockedError(where);
    const channel = await this.#open();
    const correlationId = String(this.#count++);
    const { exchange = '', routingKey, messageId, body, contentType, headers = {}, expirationMs } = message;
    const confirmed = channel.basicPublish(
      {
        exchange,
        routingKey,
        messageId,
        correlationId,
        durable: true,
        mandatory: true,
        headers: { ...headers },
        ...(contentType !== undefined && { contentType }),
        ...(expirationMs !== undefined && { expiration: String(expirationMs) }),
      },
      Buffer.from(body),
    );
    try {
      await within(confirmed, where);
      // What no queue takes is confirmed as well; that it came back is told a moment later.
      await turn();
    } catch (error) {
      throw amqpError(error, where);
    }
    if (this.#returned.delete(correlationId))
      throw new IsyncError('STORE_MISSING', `RabbitMQ leads "${routingKey}" to no queue`, {
        path: where,
        hint: 'Make the queue, or bind one to the exchange with that key.',
      });
  }

  async #open(): Promise<Channel> {
    if (this.#channel?.active === true) return this.#channel;
    this.#opening ??= this.#openChannel().finally(() => {
      this.#opening = undefined;
    });
    return await this.#opening;
  }

  async #openChannel(): Promise<Channel> {
    const channel = await this.#link.channel();
    // Each publish that failed is told by itself.
    channel.on('error', () => undefined);
    channel.on('basic.return', ({ correlationId = '' }) => this.#returned.add(correlationId));
    try {
      await channel.confirmSelect();
    } catch (error) {
      throw amqpError(error, this.#link.where);
    }
    this.#channel = channel;
    return channel;
  }
}

async function within(confirmed: Promise<void>, where: string): Promise<void> {
  const { promise, reject } = Promise.withResolvers<never>();
  const late = setTimeout(() => reject(lateError(where)), CONFIRM_MS);
  try {
    await Promise.race([confirmed, promise]);
  } finally {
    clearTimeout(late);
  }
}
