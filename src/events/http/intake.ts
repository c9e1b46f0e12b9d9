import { Limiter } from '../../flow/limiter.ts';
import { beginLargeWork } from '../../flow/young-growth.ts';
import { HttpError, type HttpResponse } from '../../http/handler.ts';
import { IsyncError } from '../../model/isync-error.ts';
import type { LogFields } from '../../model/log.ts';
import type { Admission } from './access-rule.ts';
import { type Asked, warnOf } from './asked.ts';
import { BodyParts } from './body-parts.ts';
import { HeldBytes } from './held-bytes.ts';
import { openBody, readBody, type SentBody } from './read-body.ts';
import { httpsGet } from './sns/https-get.ts';
import { SnsDoor } from './sns/sns-door.ts';
import { snsTypeOf } from './sns/sns-message.ts';
import { notQueued, type QueueMessage, takeMessage, type Taken, type ToPark } from './take-message.ts';
import { vkQuestionIn, vkSignature } from './vk-handshake.ts';
import { LARGE_BYTES, MAX_HELD_BYTES, MAX_PARKED } from './webhook-limits.ts';
import { NO_OBSERVER, type WebhookObserver } from './webhook-observer.ts';
import type { WebhookOptions } from './webhook-options.ts';

/** What became of the records of a request. */
interface Kept {
  readonly accepted: number;
  readonly ignored: number;
  readonly parked: number;
}

/** What VK Cloud is answered. */
interface Signed {
  readonly signature: string;
}

/** Takes what requests bring that are allowed to. */
export class Intake {
  readonly #options: WebhookOptions;
  readonly #published: (id: string) => void;
  readonly #held = new HeldBytes(MAX_HELD_BYTES);
  /** Large bodies, one at a time. */
  readonly #large = new Limiter(1);
  readonly #sns: SnsDoor;
  readonly #observer: WebhookObserver;

  /** @param published called with the id of a request whose records have become durable in the queue */
  constructor(options: WebhookOptions, published: (id: string) => void) {
    this.#options = options;
    this.#published = published;
    this.#sns = new SnsDoor({
      topics: options.topics ?? new Set(),
      get: options.snsGet ?? httpsGet(),
      authorities: options.snsAuthorities,
      now: options.now,
    });
    this.#observer = options.observer ?? NO_OBSERVER;
  }

  /**
   * Resolves when all that the request brings is durable, or its handshake is done.
   * @throws HttpError for what is refused, or can't be decided or parked now
   * @throws IsyncError what publishing rejects with
   */
  async take(asked: Asked, admission: Admission): Promise<HttpResponse> {
    using held = this.#held.open();
    const sent = await readBody(asked.request, held);
    const take = (): Promise<HttpResponse> => this.#takeSent(asked, admission, sent);
    if (sent.unpacker === undefined && sent.size <= LARGE_BYTES) return await take();
    beginLargeWork();
    return await this.#large.run(take);
  }

  async #takeSent(asked: Asked, admission: Admission, sent: SentBody): Promise<HttpResponse> {
    using body = await openBody(sent);
    const read = await this.#read(asked, admission, new BodyParts(body.bytes));
    return json('signature' in read ? read : { id: asked.id, ...(await this.#keep(asked, read)) });
  }

  async #read(asked: Asked, admission: Admission, parts: BodyParts): Promise<Taken | Signed> {
    const { id } = asked;
    const { buckets, keyEncoding = 'auto' } = this.#options;
    const { value } = parts;
    const question = vkQuestionIn(value);
    if (question !== undefined) {
      this.#checkVkTopic(question.topicArn, admission);
      this.#warn(asked, 'a topic of VK Cloud asks whether to send events: it was told so', {
        topic: question.topicArn,
      });
      return { signature: vkSignature(question, this.#urlOf(asked)) };
    }
    if (snsTypeOf(value) !== undefined) {
      const type = await this.#sns.take(value);
      if (type === 'SubscriptionConfirmation')
        this.#warn(asked, 'the subscription of a topic of SNS was confirmed');
      if (type === 'UnsubscribeConfirmation')
        this.#warn(asked, 'a topic of SNS sends no events any more: it was unsubscribed');
    }
    return takeMessage(parts, { id, keyEncoding, buckets });
  }

  /** Resolves with the numbers of records when all are durable. */
  async #keep(asked: Asked, { good, parked, ignored }: Taken): Promise<Kept> {
    const { id } = asked;
    const refused: ToPark[] = [];
    for (const piece of good.pieces()) refused.push(...(await this.#publish(piece)));
    const accepted = good.count - refused.length;
    if (accepted > 0) {
      this.#published(id);
      this.#observer.accepted(accepted, performance.now() - asked.atMs);
    }
    const toPark = [...parked, ...refused];
    if (toPark.length > 0) await this.#park(asked, toPark);
    for (const name of ignored) this.#observer.ignored(name);
    this.#options.log.debug('taken', {
      message: id,
      records: accepted,
      ...(toPark.length > 0 && { parked: toPark.length }),
      ...(ignored.length > 0 && { ignored: ignored.length }),
    });
    return { accepted, ignored: ignored.length, parked: toPark.length };
  }

  /** Resolves with those that the queue will never take, because they are too large, once all others are durable. */
  async #publish(messages: readonly QueueMessage[]): Promise<readonly ToPark[]> {
    try {
      await this.#options.publish(messages);
      return [];
    } catch (error) {
      const [first, second] = messages;
      if (!(error instanceof IsyncError) || error.code !== 'EVENT_INVALID' || first === undefined)
        throw error;
      if (second === undefined) return [notQueued(first, error.message)];
      const half = Math.ceil(messages.length / 2);
      return [
        ...(await this.#publish(messages.slice(0, half))),
        ...(await this.#publish(messages.slice(half))),
      ];
    }
  }

  async #park(asked: Asked, parked: readonly ToPark[]): Promise<void> {
    const { parking } = this.#options;
    if (parking.count >= MAX_PARKED) throw cantPark(`${MAX_PARKED} records are parked already`);
    try {
      await Promise.all(parked.map((record) => parking.park(record)));
    } catch (error) {
      throw cantPark(error);
    }
    this.#observer.parked(parked.length);
    const [first] = parked;
    this.#warn(asked, 'parked what nobody can work on', {
      records: parked.length,
      parked: first?.messageId,
      ...(first?.key !== undefined && { bucket: first.bucket, key: first.key }),
      reason: first?.reason,
    });
  }

  #checkVkTopic(topicArn: string, admission: Admission): void {
    const { topics } = this.#options;
    if (topics === undefined ? admission !== 'open' : topics.has(topicArn)) return;
    throw new HttpError(403, 'the topic is none of those that are taken');
  }

  #urlOf({ request, caller }: Asked): string {
    const { publicUrl } = this.#options;
    if (publicUrl !== undefined) return publicUrl;
    if (caller.host === undefined) throw new HttpError(400, 'the request names no host');
    return `${caller.scheme}://${caller.host}${request.target}`;
  }

  #warn(asked: Asked, text: string, fields?: LogFields): void {
    warnOf(this.#options.warnings, asked, text, fields);
  }
}

/** Not an IsyncError, which would close the gate: a record that can't be parked must hold up no other. */
function cantPark(cause: unknown): HttpError {
  return new HttpError(503, 'a record that is no event can not be parked at the moment', { cause });
}

function json(value: unknown): HttpResponse {
  return { status: 200, headers: { 'content-type': 'application/json' }, body: JSON.stringify(value) };
}
