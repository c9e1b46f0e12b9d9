import type { AsyncMessage, Channel } from 'rabbitmq-client';
import { amqpError } from './amqp-errors.ts';
import type { AmqpLink } from './amqp-link.ts';

/** What the broker knows one delivery by: on its channel alone, for as long as that lives. */
export interface Tag {
  readonly channel: Channel;
  readonly deliveryTag: number;
}

export interface ConsumptionOptions {
  readonly link: AmqpLink;
  /** The name of the queue. */
  readonly queue: string;
  /** Messages that the broker sends ahead of their acknowledgement; as many more each time they are not enough. */
  readonly unit: number;
  /** Units at most. */
  readonly mostUnits: number;
  readonly onMessage: (message: AsyncMessage, tag: Tag) => void;
  /** Called when the channel is gone, and with it all tags: the broker delivers again what they stood for. */
  readonly onLost: (error: unknown) => void;
}

/**
 * Takes messages from a queue, no more ahead than somebody asks for, so that several readers share what is there. RabbitMQ has
 * no bound that can be raised for one consumer, so there is a further consumer for each unit.
 */
export class Consumption {
  readonly #options: ConsumptionOptions;
  /** Tags of the consumers on the channel, oldest first. */
  #consumers: string[] = [];
  #channel: Channel | undefined;
  #unacked = 0;
  #asking: Promise<void> | undefined;
  /** Round trips: the one under way, and the next one. */
  #current: Promise<unknown> = Promise.resolve();
  #next: Promise<void> | undefined;
  #isClosed = false;
  #fault: unknown;

  constructor(options: ConsumptionOptions) {
    this.#options = options;
  }

  /**
   * Sees that the broker sends more once there is more, though nothing that it has sent is acknowledged.
   * @throws IsyncError BUSY, STORE_MISSING, STORE_REFUSED
   */
  async ask(): Promise<void> {
    const { unit, mostUnits } = this.#options;
    const capacity = this.#consumers.length * unit;
    const isEnough = this.#unacked < capacity || this.#consumers.length >= mostUnits;
    if (this.#isClosed || (this.#channel?.active === true && isEnough)) return;
    this.#asking ??= this.#askMore().finally(() => {
      this.#asking = undefined;
    });
    await this.#asking;
  }

  ack({ channel, deliveryTag }: Tag): void {
    if (this.#letGo(channel)) channel.basicAck({ deliveryTag });
  }

  /** To be delivered again at once, to anybody. */
  giveBack({ channel, deliveryTag }: Tag): void {
    if (this.#letGo(channel)) channel.basicNack({ deliveryTag, requeue: true });
  }

  /** Resolves when the broker has read what was told before, or the channel is gone. Never rejects. */
  async told(): Promise<void> {
    this.#next ??= this.#roundTrip();
    await this.#next;
  }

  /** Nothing more arrives; what has arrived can be told of. Never rejects. */
  async stop(): Promise<void> {
    this.#isClosed = true;
    await this.#asking?.catch(() => undefined);
    const tags = this.#consumers;
    this.#consumers = [];
    await Promise.all(tags.map(async (tag) => await this.#channel?.basicCancel(tag).catch(() => undefined)));
  }

  /** Whether the tag still counts. */
  #letGo(channel: Channel): boolean {
    if (channel !== this.#channel || !channel.active) return false;
    this.#unacked -= 1;
    void this.#shrink(channel);
    return true;
  }

  async #askMore(): Promise<void> {
    const { link, queue } = this.#options;
    try {
      const channel = this.#channel?.active === true ? this.#channel : await this.#openChannel();
      const { consumerTag } = await channel.basicConsume({ queue }, (message) =>
        this.#arrive(channel, message),
      );
      this.#consumers.push(consumerTag);
    } catch (error) {
      throw amqpError(error, link.where);
    }
  }

  async #openChannel(): Promise<Channel> {
    const { link, unit, onLost } = this.#options;
    const channel = await link.channel();
    this.#fault = undefined;
    channel.on('error', (error: unknown) => {
      this.#fault = error;
    });
    channel.on('close', () => {
      if (this.#channel === channel) this.#forget();
      onLost(this.#fault);
    });
    // The queue was deleted, or its node went down.
    channel.on('basic.cancel', () => void channel.close());
    await channel.basicQos({ prefetchCount: unit });
    this.#channel = channel;
    return channel;
  }

  #arrive(channel: Channel, message: AsyncMessage): void {
    if (channel !== this.#channel || !channel.active) return;
    this.#unacked += 1;
    this.#options.onMessage(message, { channel, deliveryTag: message.deliveryTag });
  }

  #forget(): void {
    this.#channel = undefined;
    this.#consumers = [];
    this.#unacked = 0;
  }

  async #roundTrip(): Promise<void> {
    await this.#current;
    this.#next = undefined;
    // Changes nothing for the consumers that are there, and is answered after what was sent before.
    const trip = this.#channel?.basicQos({ prefetchCount: this.#options.unit });
    this.#current = (trip ?? Promise.resolve()).catch(() => undefined);
    await this.#current;
  }

  /** What was asked for in a rush is not kept from other readers for ever. */
  async #shrink(channel: Channel): Promise<void> {
    const { unit } = this.#options;
    if (this.#consumers.length < 2 || this.#unacked > (this.#consumers.length - 2) * unit) return;
    const consumerTag = this.#consumers.pop();
    if (consumerTag !== undefined) await channel.basicCancel(consumerTag).catch(() => undefined);
  }
}
