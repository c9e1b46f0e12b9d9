import { randomUUID } from 'node:crypto';
import { retrying } from '../../../flow/retry.ts';
import type { Abortable } from '../../../model/abortable.ts';
import type { AmqpDelivery, AmqpEnding } from '../../amqp/amqp-delivery.ts';
import { amqpError, fullError } from '../../amqp/amqp-errors.ts';
import type { AmqpLink } from '../../amqp/amqp-link.ts';
import { AmqpReceiver, closedError } from '../../amqp/amqp-receiver.ts';
import { ConfirmedPublisher } from '../../amqp/confirmed-publisher.ts';
import { HEADERS } from '../../amqp/read-message.ts';
import { checkMessages } from '../check-messages.ts';
import type { DeadMessages, EventQueue, QueueCounts, QueueDelivery, QueueMessage } from '../event-queue.ts';
import { RecentIds } from '../recent-ids.ts';
import { AmqpDead } from './amqp-dead.ts';
import type { AmqpQueueOptions } from './amqp-options.ts';
import { delayQueue, type QueueNames, STEPS_MS } from './amqp-queues.ts';

/** Largest body, in bytes: what RabbitMQ 4 takes by default. */
const MAX_BODY_BYTES = 16 * 1024 * 1024;
/** Shortest delay, in ms: what is given back at once would come to the same worker, also to one that is about to close. */
const LEAST_DELAY_MS = 250;
const LONGEST_DELAY_MS = Math.max(...STEPS_MS);
/** Longest wait before another try to publish what is in hand, in ms. */
const RETRY_MS = 5000;

export interface AmqpParts {
  /** Of what is published: the broker stops reading it while its disk or its memory is short. */
  readonly link: AmqpLink;
  /** Opens another one, for what is received. */
  readonly openLink: () => Promise<AmqpLink>;
  readonly names: QueueNames;
}

/** A queue in RabbitMQ. Any number of processes publish and work. */
export class AmqpQueue implements EventQueue {
  readonly where: string;
  readonly maxDeliveries = undefined;
  readonly isFifo = false;
  readonly dead: DeadMessages;
  readonly #dead: AmqpDead;
  readonly #parts: AmqpParts;
  readonly #maxMessages: number;
  readonly #publisher: ConfirmedPublisher;
  readonly #receiver: AmqpReceiver;
  /** By this process, and confirmed. */
  readonly #published = new RecentIds();
  readonly #publishing = new Map<string, Promise<void>>();
  #disposal: Promise<void> | undefined;

  constructor(parts: AmqpParts, { maxMessages, waitMs, ahead, log }: AmqpQueueOptions) {
    this.#parts = parts;
    this.#maxMessages = maxMessages;
    const { link, names, openLink } = parts;
    const { where } = link;
    this.where = where;
    this.#publisher = new ConfirmedPublisher(link);
    this.#receiver = new AmqpReceiver({
      openLink,
      queue: names.main,
      where,
      waitMs,
      ahead,
      settle: (delivery, ending, signal) => this.#settle(delivery, ending, signal),
      log,
    });
    this.#dead = new AmqpDead({ link, names, publisher: this.#publisher, check: () => this.#checkOpen() });
    this.dead = this.#dead;
  }

  get inHand(): number {
    return this.#receiver.inHand;
  }

  get isReachable(): boolean {
    return this.#parts.link.isReachable && this.#receiver.isReachable;
  }

  async publish(messages: readonly QueueMessage[]): Promise<void> {
    this.#checkOpen();
    checkMessages(messages, MAX_BODY_BYTES);
    // The broker counts those alone that wait.
    if (this.inHand >= this.#maxMessages) throw fullError(this.where);
    const results = await Promise.allSettled(messages.map((message) => this.#publishOnce(message)));
    const failed = results.find((result) => result.status === 'rejected');
    if (failed !== undefined) throw amqpError(failed.reason, this.where);
  }

  receive(options?: Abortable): Promise<readonly QueueDelivery[]> {
    return this.#receiver.receive(options);
  }

  async counts(): Promise<QueueCounts> {
    this.#checkOpen();
    const { link, names } = this.#parts;
    const channel = await link.channel();
    channel.on('error', () => undefined);
    try {
      const ready: number[] = [];
      for (const queue of [names.main, names.dead, ...names.delay])
        ready.push((await channel.queueDeclare({ queue, passive: true })).messageCount);
      const [waiting = 0, dead = 0, ...delayed] = ready;
      return {
        waiting,
        inHand: delayed.reduce((sum, each) => sum + each, this.inHand),
        dead: dead + this.#dead.outOfSight,
        oldestMs: this.#receiver.oldestMs,
      };
    } catch (error) {
      throw amqpError(error, this.where);
    } finally {
      await channel.close();
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return (this.#disposal ??= this.#dispose());
  }

  async #dispose(): Promise<void> {
    await this.#receiver.close();
    await this.#parts.link[Symbol.asyncDispose]();
  }

  async #publishOnce(message: QueueMessage): Promise<void> {
    const { id } = message;
    if (this.#published.has(id, performance.now())) return;
    let publishing = this.#publishing.get(id);
    if (publishing === undefined) {
      publishing = this.#publishNow(message).finally(() => this.#publishing.delete(id));
      this.#publishing.set(id, publishing);
    }
    await publishing;
  }

  async #publishNow({ id, body }: QueueMessage): Promise<void> {
    const headers = { [HEADERS.copy]: randomUUID(), [HEADERS.sentMs]: String(Date.now()) };
    await this.#publisher.publish({ routingKey: this.#parts.names.main, messageId: id, body, headers });
    this.#published.add(id, performance.now());
  }

  /** Published first, then acknowledged: killed between both, it is there twice and not lost. */
  async #settle(delivery: AmqpDelivery, ending: AmqpEnding, signal: AbortSignal): Promise<'ack' | 'back'> {
    if (ending.how === 'ack') return 'ack';
    if (ending.how === 'release' && signal.aborted) return 'back';
    const publish = async (): Promise<void> => {
      // It comes again by itself, to be told of then.
      if (!delivery.isOpen) return;
      if (ending.how === 'bury') await this.#dead.add(delivery, ending.reason);
      else await this.#delay(delivery, ending);
    };
    // It stays in hand for as long as that takes.
    await retrying(publish, { giveUpAfterMs: undefined, longestDelayMs: RETRY_MS }, { signal });
    return 'ack';
  }

  async #delay(
    { id, body, attempt, sentMs, message }: AmqpDelivery,
    { delayMs, failures }: Extract<AmqpEnding, { readonly how: 'release' }>,
  ): Promise<void> {
    const expirationMs = Math.min(LONGEST_DELAY_MS, Math.max(LEAST_DELAY_MS, Math.ceil(delayMs)));
    await this.#publisher.publish({
      routingKey: delayQueue(this.#parts.names, expirationMs),
      messageId: id,
      body,
      expirationMs,
      headers: {
        [HEADERS.copy]: randomUUID(),
        [HEADERS.attempts]: String(attempt),
        [HEADERS.failures]: String(failures),
        [HEADERS.sentMs]: String(sentMs ?? Date.now()),
        ...(message.isReplayed && { [HEADERS.replayed]: 'yes' }),
      },
    });
  }

  #checkOpen(): void {
    if (this.#receiver.isClosed) throw closedError();
  }
}
