import type { JetStreamClient, JetStreamManager, StoredMsg } from '@nats-io/jetstream';
import { headers, type MsgHdrs } from '@nats-io/transport-node';
import { ID_HEADER, type NatsDelivery } from '../../nats/nats-delivery.ts';
import { natsError } from '../../nats/nats-errors.ts';
import type { DeadMessage, DeadMessages } from '../event-queue.ts';

const HEADERS = { reason: 'Isync-Reason', attempts: 'Isync-Attempts', sentMs: 'Isync-Sent' } as const;
/** Longest reason that is kept, in UTF-16 code units: as a header it may take nine times as many bytes. */
const MAX_REASON = 2000;

interface Parts {
  readonly name: string;
  readonly where: string;
  readonly manager: JetStreamManager;
  readonly client: JetStreamClient;
}

/** The dead messages of a queue: a stream of their own, with a subject for each id. */
export class NatsDead implements DeadMessages {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  get #stream(): string {
    return `${this.#parts.name}-dead`;
  }

  /** Resolves when the stream has it. The same delivery, told twice, is there once. */
  async add({ id, body, attempt, sentMs, seq }: NatsDelivery, reason: string): Promise<void> {
    const told = headers();
    told.set(ID_HEADER, id);
    told.set(HEADERS.reason, encodeURIComponent(reason.slice(0, MAX_REASON).toWellFormed()));
    told.set(HEADERS.attempts, String(attempt));
    told.set(HEADERS.sentMs, String(sentMs));
    await this.#parts.client.publish(this.#subject(id), body, { headers: told, msgID: `${seq} ${attempt}` });
  }

  async count(): Promise<number> {
    return (await this.#parts.manager.streams.info(this.#stream)).state.messages;
  }

  async *list(): AsyncGenerator<DeadMessage> {
    const all = `${this.#parts.name}.dead.*`;
    for (let seq = 1; ;) {
      const found = await this.#next(seq, all);
      if (found === undefined) return;
      yield deadMessage(found);
      seq = found.seq + 1;
    }
  }

  async get(id: string): Promise<DeadMessage | undefined> {
    const found = await this.#ask(({ manager }) =>
      manager.streams.getMessage(this.#stream, { last_by_subj: this.#subject(id) }),
    );
    return found === null ? undefined : deadMessage(found);
  }

  async replay(id: string): Promise<number> {
    for (let replayed = 0; ; replayed += 1) {
      const found = await this.#next(1, this.#subject(id));
      if (found === undefined) return replayed;
      const told: MsgHdrs = headers();
      told.set(ID_HEADER, id);
      await this.#ask(async ({ client, manager, name }) => {
        // With a blank: no id of a publisher is like it.
        const msgID = `replay ${found.seq} ${found.timestamp}`;
        await client.publish(`${name}.events`, found.data, { headers: told, msgID });
        await manager.streams.deleteMessage(this.#stream, found.seq);
      });
    }
  }

  async drop(id: string): Promise<number> {
    const filter = this.#subject(id);
    return (await this.#ask(({ manager }) => manager.streams.purge(this.#stream, { filter }))).purged;
  }

  async #next(seq: number, subject: string): Promise<StoredMsg | undefined> {
    const found = await this.#ask(({ manager }) =>
      manager.direct.getMessage(this.#stream, { seq, next_by_subj: subject }),
    );
    return found ?? undefined;
  }

  async #ask<T>(call: (parts: Parts) => Promise<T>): Promise<T> {
    try {
      return await call(this.#parts);
    } catch (error) {
      throw natsError(error, this.#parts.where);
    }
  }

  /** In hex: an id may have what means something in a subject. */
  #subject(id: string): string {
    return `${this.#parts.name}.dead.${Buffer.from(id).toString('hex')}`;
  }
}

function deadMessage({ header, data, time }: StoredMsg): DeadMessage {
  return {
    id: header.get(ID_HEADER),
    body: Buffer.from(data).toString(),
    reason: decodeURIComponent(header.get(HEADERS.reason)),
    attempts: Number(header.get(HEADERS.attempts)),
    sentMs: Number(header.get(HEADERS.sentMs)),
    buriedMs: time.getTime(),
  };
}
