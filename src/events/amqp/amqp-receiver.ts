import type { AsyncMessage } from 'rabbitmq-client';
import { Limiter } from '../../flow/limiter.ts';
import { Backoff } from '../../flow/retry.ts';
import { Wakeup } from '../../flow/wake-up.ts';
import type { Abortable } from '../../model/abortable.ts';
import { IsyncError } from '../../model/isync-error.ts';
import type { Log } from '../../model/log.ts';
import { RecentIds } from '../queue/recent-ids.ts';
import { AmqpDelivery, type AmqpEnding } from './amqp-delivery.ts';
import { amqpError } from './amqp-errors.ts';
import type { AmqpLink } from './amqp-link.ts';
import { Consumption, type Tag } from './consumption.ts';
import { readMessage } from './read-message.ts';

/** Messages that the broker sends ahead, at most: few enough that several workers share what is there. */
const MOST_AHEAD = 100;
/** As many more at most, so 5,000 messages in hand. */
const MOST_UNITS = 50;
/** How long a receive waits, in ms. */
const WAIT_MS = 20_000;
/** Longest wait before another try, in ms. */
const RETRY_MS = 5000;
/** How long closing waits for the broker, in ms. */
const CLOSE_MS = 5000;

export interface AmqpReceiverOptions {
  /** Opens the connection of what is received: it has no other use, as a broker short of room reads nothing from publishers. */
  readonly openLink: () => Promise<AmqpLink>;
  readonly queue: string;
  readonly where: string;
  /** Messages that the broker sends ahead; as many more each time they are not enough. Default and most {@link MOST_AHEAD}. */
  readonly ahead?: number | undefined;
  /** Default {@link WAIT_MS}. */
  readonly waitMs?: number | undefined;
  /** Gives up when the queue could not be reached for this long, in ms. Default: never. */
  readonly giveUpAfterMs?: number | undefined;
  /**
   * Does what an ending asks for and the broker can't, and resolves to what the broker is told then. May reject: then the message
   * comes again.
   */
  readonly settle: (
    delivery: AmqpDelivery,
    ending: AmqpEnding,
    signal: AbortSignal,
  ) => Promise<'ack' | 'back'>;
  readonly log: Log;
}

/** What is in hand of one queue: received, and the broker waits to be told of it. */
export class AmqpReceiver {
  readonly #options: AmqpReceiverOptions;
  /** Those of our own that were acknowledged here. */
  readonly #done = new RecentIds();
  readonly #turn = new Limiter(1);
  /** By the key of their message. */
  readonly #held = new Map<string, AmqpDelivery>();
  /** Those of them that nobody has received yet. */
  #arrived = new Set<AmqpDelivery>();
  readonly #news = new Wakeup();
  readonly #closing = new AbortController();
  readonly #combined = new WeakMap<AbortSignal, AbortSignal>();
  readonly #backoff: Backoff;
  #opening: Promise<Consumption> | undefined;
  #link: AmqpLink | undefined;

  constructor(options: AmqpReceiverOptions) {
    this.#options = options;
    this.#backoff = new Backoff({ giveUpAfterMs: options.giveUpAfterMs, longestDelayMs: RETRY_MS });
  }

  get inHand(): number {
    return this.#held.size;
  }

  /** False once it was lost; it is not tried before somebody receives. */
  get isReachable(): boolean {
    return this.#link?.isReachable !== false;
  }

  get isClosed(): boolean {
    return this.#closing.signal.aborted;
  }

  /** When the oldest in hand was sent, in ms since the epoch. */
  get oldestMs(): number | undefined {
    let oldest = Infinity;
    for (const { sentMs = Infinity } of this.#held.values()) oldest = Math.min(oldest, sentMs);
    return oldest === Infinity ? undefined : oldest;
  }

  /** As EventSource has it. */
  async receive({ signal }: Abortable = {}): Promise<readonly AmqpDelivery[]> {
    const either = this.#signalFor(signal);
    return await this.#turn.run(() => this.#receive(either));
  }

  /** Gives back what is in hand, in its order. Never rejects. */
  async close(): Promise<void> {
    this.#closing.abort(closedError());
    const consumption = await this.#opening?.catch(() => undefined);
    let late: NodeJS.Timeout | undefined;
    const closed = this.#giveBack(consumption);
    await Promise.race([closed, new Promise((resolve) => (late = setTimeout(resolve, CLOSE_MS)))]);
    clearTimeout(late);
    // With the connection goes what the broker was not told of.
    await this.#link?.[Symbol.asyncDispose]();
    this.#held.clear();
  }

  async #giveBack(consumption: Consumption | undefined): Promise<void> {
    // Else what is given back would come to us once more.
    await consumption?.stop();
    for (const delivery of this.#held.values()) if (delivery.ending === undefined) void delivery.release(0);
    await Promise.all(Array.from(this.#held.values(), (delivery) => delivery.ack()));
  }

  async #receive(signal: AbortSignal): Promise<readonly AmqpDelivery[]> {
    const endMs = performance.now() + (this.#options.waitMs ?? WAIT_MS);
    for (;;) {
      signal.throwIfAborted();
      const deliveries = [...this.#arrived];
      if (deliveries.length > 0) {
        this.#arrived.clear();
        return deliveries;
      }
      const leftMs = endMs - performance.now();
      if (leftMs <= 0) return [];
      if (await this.#ask(signal)) await this.#news.sleep(leftMs, signal);
    }
  }

  /** Resolves to whether more will come once there is more. */
  async #ask(signal: AbortSignal): Promise<boolean> {
    try {
      await (await this.#consumption()).ask();
      this.#backoff.succeeded();
      return true;
    } catch (thrown) {
      const fault = amqpError(thrown, this.#options.where);
      if (!fault.retryable) throw fault;
      if (this.#backoff.failures === 0)
        this.#options.log.warn('nothing can be received; it is tried again', { err: fault });
      if (!(await this.#backoff.wait({ signal }))) throw fault;
      return false;
    }
  }

  async #consumption(): Promise<Consumption> {
    this.#opening ??= this.#open();
    try {
      return await this.#opening;
    } catch (error) {
      this.#opening = undefined;
      throw error;
    }
  }

  async #open(): Promise<Consumption> {
    const link = await this.#options.openLink();
    this.#link = link;
    const consumption = new Consumption({
      link,
      queue: this.#options.queue,
      unit: Math.min(MOST_AHEAD, this.#options.ahead ?? MOST_AHEAD),
      mostUnits: MOST_UNITS,
      onMessage: (message, tag) => this.#arrive(message, tag, consumption),
      onLost: (error) => this.#lost(error),
    });
    return consumption;
  }

  #arrive(message: AsyncMessage, tag: Tag, consumption: Consumption): void {
    const read = readMessage(message);
    const held = this.#held.get(read.key);
    // What is given back later, or buried, is published anew before it is let go of here.
    if (held !== undefined && (held.message.copy === read.copy || held.ending === undefined))
      return held.deliveredAgain(tag);
    if (read.copy !== undefined && !read.isReplayed) {
      const isDone = held?.ending === 'ack' || this.#done.has(read.key, read.sentMs ?? 0);
      if (isDone) return consumption.ack(tag);
    }
    const delivery = new AmqpDelivery(read, tag, (each, ending) => this.#end(each, ending, consumption));
    this.#held.set(read.key, delivery);
    this.#arrived.add(delivery);
    this.#news.wake();
  }

  /** All comes again. What somebody works on is recognised then, and goes on. */
  #lost(error: unknown): void {
    if (this.isClosed) return;
    if (error !== undefined)
      this.#options.log.warn('RabbitMQ has taken back what is in hand; it is received again', {
        err: amqpError(error, this.#options.where),
      });
    for (const delivery of this.#arrived) this.#letGo(delivery);
    this.#arrived.clear();
    this.#news.wake();
  }

  async #end(delivery: AmqpDelivery, ending: AmqpEnding, consumption: Consumption): Promise<void> {
    const { settle, log } = this.#options;
    try {
      const told = await settle(delivery, ending, this.#closing.signal);
      if (ending.how === 'ack' && delivery.message.copy !== undefined)
        this.#done.add(delivery.message.key, delivery.sentMs ?? 0);
      // It may be delivered again meanwhile.
      for (let tags = delivery.takeTags(); tags.length > 0; tags = delivery.takeTags()) {
        for (const tag of tags)
          if (told === 'ack') consumption.ack(tag);
          else consumption.giveBack(tag);
        await consumption.told();
      }
    } catch (err) {
      if (!this.isClosed)
        log.warn('the queue could not be told of a message; it comes again', {
          message: delivery.id,
          attempt: delivery.attempt,
          told: ending.how,
          err,
        });
    }
    this.#letGo(delivery);
  }

  #letGo(delivery: AmqpDelivery): void {
    const { key } = delivery.message;
    if (this.#held.get(key) === delivery) this.#held.delete(key);
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

export function closedError(): IsyncError {
  return new IsyncError('INTERRUPTED', 'the queue is closed');
}
