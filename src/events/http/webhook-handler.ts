import { setTimeout as delay } from 'node:timers/promises';
import { HttpError, type HttpHandler, type HttpRequest, type HttpResponse } from '../../http/handler.ts';
import { textResponse } from '../../http/text-response.ts';
import type { ThrottledLog } from '../../http/throttled-log.ts';
import { Limiter } from '../../flow/limiter.ts';
import { IsyncError } from '../../model/isync-error.ts';
import type { Log } from '../../model/log.ts';
import type { Parking } from '../parking/parking.ts';
import type { KeyEncoding } from '../parse/parsed.ts';
import { readJson } from '../parse/read-json.ts';
import { type AccessWays, type Admission, admissionOf, isGuarded, isPath } from './access-rule.ts';
import { type Caller, callerOf } from './caller.ts';
import { HeldBytes } from './held-bytes.ts';
import { IntakeGate } from './intake-gate.ts';
import type { Networks } from './networks.ts';
import { readBody, textOf } from './read-body.ts';
import { Refusals } from './refusals.ts';
import { RequestIds } from './request-ids.ts';
import { httpsGet, type SnsGet } from './sns/https-get.ts';
import { SnsDoor } from './sns/sns-door.ts';
import { snsTypeOf } from './sns/sns-message.ts';
import { type QueueMessage, takeMessage, type Taken, type ToPark } from './take-message.ts';
import { vkQuestionIn, vkSignature } from './vk-handshake.ts';
import { HOLD_MS, MAX_BODY_BRACKETS, MAX_HELD_BYTES, MAX_PARKED, LARGE_BYTES } from './webhook-limits.ts';
import { NO_OBSERVER, type WebhookObserver } from './webhook-observer.ts';

export interface WebhookOptions {
  /**
   * Resolves when all messages are durable. Rejects with an IsyncError; a retryable one (STORE_FULL, BUSY, UNREACHABLE) becomes
   * 503, and the sender tries again.
   */
  readonly publish: (messages: readonly QueueMessage[]) => Promise<void>;
  readonly parking: Pick<Parking, 'park' | 'count'>;
  readonly access: AccessWays;
  /** Whose X-Forwarded-For, -Proto and -Host count. Default: nobody's. */
  readonly trustedProxies?: Networks | undefined;
  /** Topics of VK Cloud and of SNS. Default: for VK any, once the sender is authenticated; for SNS none. */
  readonly topics?: ReadonlySet<string> | undefined;
  /** The URL that VK Cloud was given. Default: what the request says. */
  readonly publicUrl?: string | undefined;
  /** Whether this server itself speaks TLS. */
  readonly isTls?: boolean | undefined;
  /** Events of other buckets are parked. Default: any. */
  readonly buckets?: ReadonlySet<string> | undefined;
  readonly keyEncoding?: KeyEncoding | undefined;
  /** How SNS is asked for certificates and confirmations. Default: over HTTPS. */
  readonly snsGet?: SnsGet | undefined;
  /** Authorities in PEM that certificates of SNS must lead to. Default: those that this process trusts. */
  readonly snsAuthorities?: readonly string[] | undefined;
  readonly observer?: WebhookObserver | undefined;
  readonly log: Log;
  /** Told what anybody who connects can cause. */
  readonly warnings: ThrottledLog;
  /** In ms since 1970. */
  readonly now?: (() => number) | undefined;
}

/**
 * Answers /ping, and takes events at /webhook. An answer of 2xx means that each record of the request is durable: in the queue,
 * or parked.
 */
export function webhookHandler(options: WebhookOptions): HttpHandler {
  const webhook = new Webhook(options);
  return (request) => webhook.answer(request);
}

/** A request for /webhook under way. */
interface Asked {
  readonly id: string;
  readonly request: HttpRequest;
  readonly caller: Caller;
  readonly atMs: number;
}

const PATH = '/webhook';
/** What a store is told to wait when the disk or the queue is full, and when something else is in the way, in seconds. */
const [RETRY_FULL_S, RETRY_S] = [10, 1];

class Webhook {
  readonly #options: WebhookOptions;
  readonly #ids = new RequestIds();
  readonly #refusals = new Refusals();
  readonly #held = new HeldBytes(MAX_HELD_BYTES);
  /** Large bodies, one at a time. */
  readonly #large = new Limiter(1);
  readonly #gate: IntakeGate;
  readonly #sns: SnsDoor;
  readonly #observer: WebhookObserver;

  constructor(options: WebhookOptions) {
    this.#options = options;
    this.#gate = new IntakeGate(options.log);
    this.#sns = new SnsDoor({
      topics: options.topics ?? new Set(),
      get: options.snsGet ?? httpsGet(),
      authorities: options.snsAuthorities,
      now: options.now,
    });
    this.#observer = options.observer ?? NO_OBSERVER;
  }

  async answer(request: HttpRequest): Promise<HttpResponse> {
    const [path = ''] = request.target.split('?', 1);
    if (path === '/ping') return ping(request);
    const segment = path.startsWith(`${PATH}/`) ? path.slice(PATH.length + 1) : undefined;
    const isOurs = path === PATH || (segment !== undefined && this.#options.access.secretPath !== undefined);
    if (!isOurs) return textResponse(404, 'there is nothing here');
    const atMs = performance.now();
    const caller = callerOf(request, this.#options.isTls === true, this.#options.trustedProxies);
    const asked: Asked = { id: this.#ids.next(), request, caller, atMs };
    const response = await this.#answer(asked, segment).catch((error: unknown) =>
      this.#failure(error, asked),
    );
    this.#observer.answered(response.status, performance.now() - atMs);
    return { ...response, headers: { ...response.headers, 'x-isync-id': asked.id } };
  }

  async #answer(asked: Asked, segment: string | undefined): Promise<HttpResponse> {
    const { request, caller } = asked;
    if (isLook(request)) {
      // MinIO asks without its token whether there is anybody.
      if (segment !== undefined && !isPath(this.#options.access, segment)) return this.#refuse(asked);
      return textResponse(200, 'events are taken here, by POST');
    }
    if (request.method !== 'POST')
      return textResponse(405, 'this is not done here', { allow: 'GET, HEAD, POST' });
    const admission = admissionOf(this.#options.access, request, caller, segment);
    if (admission === undefined) return this.#refuse(asked);
    request.admitted();
    const { closed } = this.#gate;
    if (closed !== undefined) {
      this.#gate.refused();
      return this.#later(asked, closed);
    }
    return this.#take(asked, admission);
  }

  async #take(asked: Asked, admission: Admission): Promise<HttpResponse> {
    const { id, request } = asked;
    const { buckets, keyEncoding = 'auto' } = this.#options;
    using held = this.#held.open();
    const sent = await readBody(request, held);
    const isLarge = sent.unpacker !== undefined || sent.bytes.length > LARGE_BYTES;
    using _turn = isLarge ? await this.#large.enter() : undefined;
    const body = await textOf(sent, held);
    const read = readJson(body, MAX_BODY_BRACKETS);
    if ('fault' in read) throw new HttpError(400, read.fault);
    const { value } = read;
    const question = vkQuestionIn(value);
    if (question !== undefined) {
      this.#checkVkTopic(question.topicArn, admission);
      this.#options.log.info('a topic of VK Cloud asks for events', {
        message: id,
        topic: question.topicArn,
      });
      return json({ signature: vkSignature(question, this.#urlOf(asked)) });
    }
    if (snsTypeOf(value) !== undefined) {
      const type = await this.#sns.take(value);
      if (type === 'SubscriptionConfirmation')
        this.#options.log.info('the subscription of a topic of SNS was confirmed', { message: id });
      if (type === 'UnsubscribeConfirmation')
        this.#options.log.warn('a topic of SNS sends no events any more: it was unsubscribed', {
          message: id,
        });
    }
    const taken = takeMessage(value, body, { id, keyEncoding, buckets });
    await this.#keep(asked, taken);
    return json({
      id,
      accepted: taken.messages.length,
      ignored: taken.ignored.length,
      parked: taken.parked.length,
    });
  }

  /** Resolves when all is durable. */
  async #keep(asked: Asked, { messages, parked, ignored }: Taken): Promise<void> {
    const { publish, log } = this.#options;
    const { id } = asked;
    if (messages.length > 0) {
      await publish(messages);
      this.#gate.succeeded();
      this.#observer.accepted(messages.length, performance.now() - asked.atMs);
    }
    if (parked.length > 0) await this.#park(asked, parked);
    for (const name of ignored) this.#observer.ignored(name);
    log.debug('taken', {
      message: id,
      records: messages.length,
      ...(parked.length > 0 && { parked: parked.length }),
      ...(ignored.length > 0 && { ignored: ignored.length }),
    });
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
    this.#warn('parked what nobody can work on', asked, {
      records: parked.length,
      parked: first?.messageId,
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

  #refuse(asked: Asked): HttpResponse {
    if (this.#refusals.tooMany(asked.caller.address))
      return textResponse(429, 'too many requests that are not allowed', { 'retry-after': '60' });
    this.#warn('refused: a request that is not allowed to post', asked, {});
    return textResponse(401, 'a token is needed', {
      ...(isGuarded(this.#options.access) && { 'www-authenticate': 'Bearer' }),
    });
  }

  async #failure(error: unknown, asked: Asked): Promise<HttpResponse> {
    if (error instanceof IsyncError && error.retryable) {
      this.#gate.failed(error, { message: asked.id });
      return this.#later(asked, error);
    }
    if (!(error instanceof HttpError)) {
      this.#warn('fault in the webhook', asked, { err: error });
      return textResponse(500, 'a fault in the server');
    }
    const { status, message, cause } = error;
    this.#warn(`answered with ${status}`, asked, {
      reason: message,
      ...(cause !== undefined && { err: cause }),
    });
    return status === 503 ? this.#hold(asked, message, RETRY_S) : textResponse(status, message);
  }

  #later(asked: Asked, { code }: IsyncError): Promise<HttpResponse> {
    const seconds = code === 'STORE_FULL' ? RETRY_FULL_S : RETRY_S;
    return this.#hold(asked, 'events can not be kept at the moment: try again', seconds);
  }

  async #hold({ request }: Asked, message: string, retryS: number): Promise<HttpResponse> {
    // Ends at once where nobody waits any more.
    await delay(HOLD_MS, undefined, { signal: request.signal }).catch(() => undefined);
    return textResponse(503, message, { 'retry-after': String(retryS) });
  }

  /** `message` is the id of the request in every line of log, and begins the ids of its records in the queue. */
  #warn(text: string, { id, caller }: Asked, fields: Readonly<Record<string, unknown>>): void {
    this.#options.warnings.warn(text, `${caller.address}:?`, { message: id, ...fields });
  }
}

function ping(request: HttpRequest): HttpResponse {
  return isLook(request)
    ? { status: 200, headers: { 'content-type': 'text/plain; charset=utf-8' }, body: 'Pong' }
    : textResponse(405, 'this is not done here', { allow: 'GET, HEAD' });
}

/** Not an IsyncError, which would close the gate: a record that can't be parked must hold up no other. */
function cantPark(cause: unknown): HttpError {
  return new HttpError(503, 'a record that is no event can not be parked at the moment', { cause });
}

function isLook({ method }: HttpRequest): boolean {
  return method === 'GET' || method === 'HEAD';
}

function json(value: unknown): HttpResponse {
  return { status: 200, headers: { 'content-type': 'application/json' }, body: JSON.stringify(value) };
}
