import { randomUUID } from 'node:crypto';
import { Limiter } from '../../../flow/limiter.ts';
import type { AmqpDelivery } from '../../amqp/amqp-delivery.ts';
import type { AmqpLink } from '../../amqp/amqp-link.ts';
import type { ConfirmedPublisher } from '../../amqp/confirmed-publisher.ts';
import { HEADERS } from '../../amqp/read-message.ts';
import type { DeadMessage, DeadMessages } from '../event-queue.ts';
import type { QueueNames } from './amqp-queues.ts';
import { DeadReader } from './dead-reader.ts';

/** Longest reason that is kept, in UTF-16 code units. */
const MAX_REASON = 2000;

export interface AmqpDeadParts {
  readonly link: AmqpLink;
  readonly names: QueueNames;
  readonly publisher: ConfirmedPublisher;
  /** @throws IsyncError once the queue is closed */
  readonly check: () => void;
}

/** The dead messages of a queue: another queue, without a limit. */
export class AmqpDead implements DeadMessages {
  readonly #parts: AmqpDeadParts;
  readonly #turn = new Limiter(1);
  #reader: DeadReader | undefined;
  #lastMs = 0;

  constructor(parts: AmqpDeadParts) {
    this.#parts = parts;
  }

  /** Those that this process reads right now: the broker does not count them. */
  get outOfSight(): number {
    return this.#reader?.outOfSight ?? 0;
  }

  /** Resolves when the queue has it. */
  async add({ id, body, attempt, sentMs }: AmqpDelivery, reason: string): Promise<void> {
    const { publisher, names } = this.#parts;
    await publisher.publish({
      routingKey: names.dead,
      messageId: id,
      body,
      headers: {
        [HEADERS.copy]: randomUUID(),
        [HEADERS.attempts]: String(attempt),
        [HEADERS.reason]: reason.slice(0, MAX_REASON).toWellFormed(),
        [HEADERS.sentMs]: String(sentMs ?? Date.now()),
        [HEADERS.buriedMs]: this.#nextMs().toFixed(3),
      },
    });
  }

  /** Now, in ms, and later than the last time: this tells their order. */
  #nextMs(): number {
    return (this.#lastMs = Math.max(Date.now(), this.#lastMs + 0.001));
  }

  async *list(): AsyncGenerator<DeadMessage> {
    await using opened = await this.#open();
    for (;;) {
      const page = await opened.reader.page();
      if (page.length === 0) return;
      for (const { message } of page) yield message;
    }
  }

  async get(id: string): Promise<DeadMessage | undefined> {
    let found: DeadMessage | undefined;
    for await (const message of this.list()) if (message.id === id) found = message;
    return found;
  }

  async replay(id: string): Promise<number> {
    const { publisher, names } = this.#parts;
    return await this.#take(id, async ({ body }) => {
      const headers = {
        [HEADERS.copy]: randomUUID(),
        [HEADERS.sentMs]: String(Date.now()),
        [HEADERS.replayed]: 'yes',
      };
      await publisher.publish({ routingKey: names.main, messageId: id, body, headers });
    });
  }

  async drop(id: string): Promise<number> {
    return await this.#take(id, () => Promise.resolve());
  }

  /** Removes those of that id, each after `before`. */
  async #take(id: string, before: (message: DeadMessage) => Promise<void>): Promise<number> {
    let taken = 0;
    await using opened = await this.#open();
    for (;;) {
      const page = await opened.reader.page();
      if (page.length === 0) return taken;
      for (const dead of page) {
        if (dead.message.id !== id) continue;
        await before(dead.message);
        opened.reader.remove(dead);
        taken += 1;
      }
    }
  }

  async #open(): Promise<AsyncDisposable & { readonly reader: DeadReader }> {
    const { check, link, names } = this.#parts;
    check();
    const turn = await this.#turn.enter();
    try {
      const reader = await DeadReader.open(link, names);
      this.#reader = reader;
      const close = async (): Promise<void> => {
        await reader[Symbol.asyncDispose]();
        turn[Symbol.dispose]();
      };
      return { reader, [Symbol.asyncDispose]: close };
    } catch (error) {
      turn[Symbol.dispose]();
      throw error;
    }
  }
}
