import { setTimeout as delay } from 'node:timers/promises';
import { HttpError, type HttpHandler, type HttpRequest, type HttpResponse } from '../../http/handler.ts';
import { textResponse } from '../../http/text-response.ts';
import { IsyncError } from '../../model/isync-error.ts';
import type { LogFields } from '../../model/log.ts';
import { admissionOf, isGuarded, isPath } from './access-rule.ts';
import { type Asked, warnOf } from './asked.ts';
import { callerOf } from './caller.ts';
import { Intake } from './intake.ts';
import { IntakeGate } from './intake-gate.ts';
import { Refusals } from './refusals.ts';
import { RequestIds } from './request-ids.ts';
import { HOLD_MS } from './webhook-limits.ts';
import { NO_OBSERVER, type WebhookObserver } from './webhook-observer.ts';
import type { WebhookOptions } from './webhook-options.ts';

/**
 * Answers /ping, and takes events at /webhook. An answer of 2xx means that each record of the request is durable: in the queue,
 * or parked.
 */
export function webhookHandler(options: WebhookOptions): HttpHandler {
  const webhook = new Webhook(options);
  return (request) => webhook.answer(request);
}

const PATH = '/webhook';
/** What a store is told to wait when the disk or the queue is full, and when something else is in the way, in seconds. */
const [RETRY_FULL_S, RETRY_S] = [10, 1];

class Webhook {
  readonly #options: WebhookOptions;
  readonly #ids = new RequestIds();
  readonly #refusals = new Refusals();
  readonly #gate: IntakeGate;
  readonly #intake: Intake;
  readonly #observer: WebhookObserver;

  constructor(options: WebhookOptions) {
    this.#options = options;
    this.#gate = new IntakeGate(options.log);
    this.#intake = new Intake(options, (id) => this.#gate.succeeded({ message: id }));
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
    return this.#intake.take(asked, admission);
  }

  #refuse(asked: Asked): HttpResponse {
    if (this.#refusals.tooMany(asked.caller.address))
      return textResponse(429, 'too many requests that are not allowed', { 'retry-after': '60' });
    this.#warn('refused: a request that is not allowed to post', asked);
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

  #warn(text: string, asked: Asked, fields: LogFields = {}): void {
    warnOf(this.#options.warnings, asked, text, fields);
  }
}

function ping(request: HttpRequest): HttpResponse {
  return isLook(request)
    ? { status: 200, headers: { 'content-type': 'text/plain; charset=utf-8' }, body: 'Pong' }
    : textResponse(405, 'this is not done here', { allow: 'GET, HEAD' });
}

function isLook({ method }: HttpRequest): boolean {
  return method === 'GET' || method === 'HEAD';
}
