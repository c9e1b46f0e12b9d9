import type { Consumer, ConsumerMessages, JsMsg } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { Limiter } from '../../flow/limiter.ts';
import { Backoff } from '../../flow/retry.ts';
import { Wakeup } from '../../flow/wake-up.ts';
import type { Abortable } from '../../model/abortable.ts';
import { IsyncError } from '../../model/isync-error.ts';
import type { Log } from '../../model/log.ts';
import { type FailureCounts, NatsDelivery, type NatsEnding } from './nats-delivery.ts';
import { natsError } from './nats-errors.ts';

/** Messages asked for at a time, at most: few enough that several workers share what is there. */
const MOST_AHEAD = 100;
/** How long a receive waits, in ms. */
const WAIT_MS = 20_000;
/** Shortest wait that the client allows, in ms. */
const LEAST_WAIT_MS = 1000;
/** The same after each connection, in ms: a server that was killed may have something to be asked for anew, which is found then. */
const UNSURE_WAIT_MS = 3_000;
/** For how long after a connection, in leases: what somebody had in hand has come again by then. */
const UNSURE_LEASES = 2;
/** Of the lease: how often it is renewed. */
const RENEW_SHARE = 1 / 3;
/**
 * Shortest and longest delay, in ms. A server of 2.9 miscounts the deliveries of what is given back without any while nobody asks
 * for it.
 */
const DELAY_MS = { least: 100, most: 3_600_000 };
/** How long closing waits for the server, in ms. */
const CLOSE_MS = 5000;
const RETRY_MS = 5000;

export interface NatsReceiverOptions {
  readonly connection: NatsConnection;
  readonly consumer: Consumer;
  readonly where: string;
  /** After how long the consumer delivers again what nobody renews, in ms. */
  readonly leaseMs: number;
  /** Messages asked for at a time. Default and most {@link MOST_AHEAD}. */
  readonly ahead?: number | undefined;
  /** Default {@link WAIT_MS}. */
  readonly waitMs?: number | undefined;
  /** Gives up when the queue could not be reached for this long, in ms. Default: never. */
  readonly giveUpAfterMs?: number | undefined;
  /** Keeps it where dead messages are. */
  readonly bury: (delivery: NatsDelivery, reason: string) => Promise<void>;
  /** Default: they are not counted. */
  readonly failures?: FailureCounts | undefined;
  /** Called when nothing can be received: makes again what somebody has deleted. Never rejects. */
  readonly mend?: (() => Promise<void>) | undefined;
  /** Called when a wait has brought nothing. Never rejects. */
  readonly idle?: (() => Promise<void>) | undefined;
  readonly log: Log;
}

/** What is in hand of a consumer of JetStream. */
export class NatsReceiver {
  readonly #options: NatsReceiverOptions;
  readonly #turn = new Limiter(1);
  /** Delivered to this process, by their sequence. */
  readonly #held = new Map<number, NatsDelivery>();
  /** Those of them that nobody has received yet. */
  #arrived: NatsDelivery[] = [];
  /** Ends when all that have come are among those. */
  #handing: Promise<void> = Promise.resolve();
  /** Messages that have come, and whose failures are not known yet. */
  #unknown = 0;
  readonly #news = new Wakeup();
  readonly #closing = new AbortController();
  readonly #combined = new WeakMap<AbortSignal, AbortSignal>();
  readonly #renewal: NodeJS.Timeout;
  readonly #backoff: Backoff;
  #batch: ConsumerMessages | undefined;
  #fetch: Promise<void> | undefined;
  #fault: IsyncError | undefined;
  #isReachable = true;
  #connectedMs = performance.now();

  constructor(options: NatsReceiverOptions) {
    this.#options = options;
    this.#backoff = new Backoff({ giveUpAfterMs: options.giveUpAfterMs, longestDelayMs: RETRY_MS });
    this.#renewal = setInterval(() => this.#renew(), options.leaseMs * RENEW_SHARE);
    void this.#followStatus();
  }

  get inHand(): number {
    return this.#held.size;
  }

  get isReachable(): boolean {
    return this.#isReachable;
  }

  /** Whether nothing could be received last. */
  get isFailing(): boolean {
    return this.#fault !== undefined || this.#backoff.failures > 0;
  }

  get isClosed(): boolean {
    return this.#closing.signal.aborted;
  }

  async receive({ signal }: Abortable = {}): Promise<readonly NatsDelivery[]> {
    const either = this.#signalFor(signal);
    return await this.#turn.run(() => this.#receive(either));
  }

  /** Gives back what is in hand, and closes the connection. */
  async close(): Promise<void> {
    this.#closing.abort(closedError());
    clearInterval(this.#renewal);
    const late = AbortSignal.timeout(CLOSE_MS);
    const orLate = new Promise<void>((resolve) => late.addEventListener('abort', () => resolve()));
    this.#batch?.stop();
    await Promise.race([orLate, this.#fetch]);
    for (const delivery of this.#held.values()) if (!delivery.isEnding) void delivery.release(0);
    const flushed = this.#options.connection.flush().catch(() => undefined);
    const ended = Promise.all(Array.from(this.#held.values(), (delivery) => delivery.ack()));
    await Promise.race([orLate, Promise.all([flushed, ended])]);
    await this.#options.connection.close();
    this.#held.clear();
  }

  async #receive(signal: AbortSignal): Promise<readonly NatsDelivery[]> {
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
      // Not more than one batch ahead of whoever receives, however long their failures are asked for.
      if (this.#unknown === 0) {
        await this.#waitOutFault(signal);
        this.#fetch ??= this.#fetchSome(leftMs);
      }
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
    if (!(await this.#backoff.wait({ signal }))) throw fault;
  }

  get #ahead(): number {
    return Math.min(MOST_AHEAD, this.#options.ahead ?? MOST_AHEAD);
  }

  get #longestWaitMs(): number {
    const { leaseMs, idle } = this.#options;
    const isUnsure = performance.now() - this.#connectedMs < UNSURE_LEASES * leaseMs;
    return idle !== undefined && isUnsure ? UNSURE_WAIT_MS : WAIT_MS;
  }

  /** Never rejects. */
  async #fetchSome(leftMs: number): Promise<void> {
    try {
      const expires = Math.max(LEAST_WAIT_MS, Math.ceil(Math.min(leftMs, this.#longestWaitMs)));
      this.#options.failures?.look();
      this.#batch = await this.#options.consumer.fetch({ max_messages: this.#ahead, expires });
      if (this.#closing.signal.aborted) this.#batch.stop();
      const isDeleted = endedByDeletion(this.#batch);
      let count = 0;
      for await (const message of this.#batch) {
        count += 1;
        this.#arrive(message);
      }
      this.#backoff.succeeded();
      if (this.#isReachable && !this.isClosed) {
        if (isDeleted()) await this.#options.mend?.();
        else if (count === 0) await this.#options.idle?.();
      }
    } catch (error) {
      this.#fault = natsError(error, this.#options.where);
      if (this.#isReachable && !this.isClosed) await this.#options.mend?.();
    }
    this.#batch = undefined;
    this.#fetch = undefined;
    this.#news.wake();
  }

  /** Delivered again while it is in hand, it goes on: what is told counts for its last delivery. */
  #arrive(message: JsMsg): void {
    this.#backoff.succeeded();
    const held = this.#held.get(message.seq);
    if (held !== undefined) return held.deliveredAgain(message);
    const delivery = new NatsDelivery(message, (each, ending) => this.#end(each, ending));
    this.#held.set(message.seq, delivery);
    this.#unknown += 1;
    const failures = this.#options.failures?.of(delivery) ?? Promise.resolve(0);
    // In the order in which they came, whichever is known first.
    this.#handing = this.#handing.then(async () => this.#handOut(delivery, await failures));
  }

  #handOut(delivery: NatsDelivery, failures: number | undefined): void {
    this.#unknown -= 1;
    // Else it was given back, as this is closing.
    if (!delivery.isEnding) {
      delivery.hasFailed(failures);
      this.#arrived.push(delivery);
    }
    this.#news.wake();
  }

  async #end(delivery: NatsDelivery, ending: NatsEnding): Promise<void> {
    const { failures } = this.#options;
    try {
      if (ending.how === 'release') {
        // Before anybody has it again.
        if (ending.failures > delivery.failures) await this.#keepCount(delivery, ending.failures);
        const delayMs = Math.min(DELAY_MS.most, Math.max(DELAY_MS.least, Math.ceil(ending.delayMs)));
        delivery.message.nak(delayMs);
        // The server has read it, then.
        await this.#options.connection.flush();
      } else {
        // The dead one first: killed between both, it is there twice and not lost.
        if (ending.how === 'bury') await this.#options.bury(delivery, ending.reason);
        await delivery.message.ackAck();
        if (delivery.failures > 0 || delivery.isUncounted) await failures?.forget(delivery);
      }
    } catch (err) {
      const fields = {
        message: delivery.id,
        attempt: delivery.attempt,
        told: ending.how,
        err: natsError(err, this.#options.where),
      };
      this.#options.log.warn('the queue could not be told of a message; it comes again', fields);
    }
    this.#held.delete(delivery.seq);
  }

  /** One that was not known is asked for again: it must not become less. As long as nobody can tell it stays as it is. */
  async #keepCount(delivery: NatsDelivery, failures: number): Promise<void> {
    const { failures: counts } = this.#options;
    if (!delivery.isUncounted) return await counts?.keep(delivery, failures);
    const kept = await counts?.of(delivery);
    if (kept !== undefined) await counts?.keep(delivery, Math.max(kept + 1, failures));
  }

  #renew(): void {
    if (!this.#isReachable) return;
    for (const delivery of this.#held.values()) if (!delivery.isEnding) delivery.message.working();
  }

  async #followStatus(): Promise<void> {
    for await (const { type } of this.#options.connection.status()) {
      if (type === 'disconnect' || type === 'reconnect') {
        this.#isReachable = type === 'reconnect';
        const { log, where } = this.#options;
        this.#connectedMs = performance.now();
        if (type === 'disconnect') log.warn('NATS is away; it is tried again', { queue: where });
        else log.info('NATS is there again', { queue: where });
        // The server has forgotten who asked.
        this.#batch?.stop();
      }
    }
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

/**
 * Ends a batch as soon as its consumer is deleted, which the client would find by missing heartbeats alone. Returns what tells
 * whether that has happened.
 */
function endedByDeletion(batch: ConsumerMessages): () => boolean {
  let isDeleted = false;
  const watch = async (): Promise<void> => {
    for await (const { type } of batch.status())
      if (type === 'consumer_deleted') {
        isDeleted = true;
        batch.stop();
      }
  };
  // Its end is that of the batch, which tells why.
  watch().catch(() => undefined);
  return () => isDeleted;
}

export function closedError(): IsyncError {
  return new IsyncError('INTERRUPTED', 'the queue is closed');
}
