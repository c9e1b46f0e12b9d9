import { bearerToken } from '../../access/bearer-token.ts';
import { sameSecret } from '../../access/same-secret.ts';
import type { HttpRequest, HttpResponse } from '../../http/handler.ts';
import { MAX_KEY_BYTES } from '../../model/object-key.ts';
import { parseTarget } from '../key.ts';
import { isLoop, mirrorsIn } from '../via.ts';
import { AccessLog } from './access-log.ts';
import { type Answer, failureAnswer, lineAnswer } from './answers.ts';
import { conditionsIn } from './conditions.ts';
import { countedBody } from './counted-body.ts';
import { Hits } from './hits.ts';
import { Misses } from './misses.ts';
import { RepeatedLog } from './repeated-log.ts';
import type { RequestLimits, ServeOptions } from './serve-options.ts';

/** An HttpHandler, to which its caller may say more about a request. */
export type MirrorHandler = (request: HttpRequest, limits?: RequestLimits) => Promise<HttpResponse>;

const METHODS = 'GET, HEAD, OPTIONS';
/** A probe that asks for this very path is answered; an object of that name is asked for as `/%68ealthz`. */
const HEALTH = { alive: '/healthz', ready: '/readyz' };

/** Answers from the bucket, and from the origins what it lacks. */
export function mirrorHandler(options: ServeOptions): MirrorHandler {
  const mirror = new Mirror(options);
  return async (request, limits = {}) => await mirror.serve(request, limits);
}

class Mirror {
  readonly #options: ServeOptions;
  readonly #hits: Hits;
  readonly #misses: Misses;
  readonly #log: AccessLog;
  /** Of keys, in bytes, without the prefix of the bucket. */
  readonly #keyBytes: number;

  constructor(options: ServeOptions) {
    this.#options = options;
    this.#hits = new Hits(options, new RepeatedLog(options.log));
    this.#misses = new Misses(options, this.#hits);
    this.#log = new AccessLog(options.log);
    this.#keyBytes = MAX_KEY_BYTES - Buffer.byteLength(options.prefix);
  }

  async serve(request: HttpRequest, limits: RequestLimits): Promise<HttpResponse> {
    const health = await this.#health(request);
    if (health !== undefined) return health;
    const sinceMs = performance.now();
    // A query may hold a secret: a signature, or a token in the wrong place.
    const [path = ''] = request.target.split('?', 1);
    const said = { key: path };
    const { outcome, response } = await this.#answer(request, limits, said);
    const { status, body } = response;
    const ended = (bytes: number): void => {
      const served = { outcome, status, bytes, ms: performance.now() - sinceMs };
      this.#options.observer?.served(served);
      this.#log.add(request.method, said.key, served);
    };
    const headers = { ...response.headers, 'isync-mirror': outcome };
    if (typeof body === 'object' && Symbol.asyncIterator in body)
      return { status, headers, body: countedBody(body, ended) };
    ended(body === undefined || request.method === 'HEAD' ? 0 : Buffer.byteLength(body));
    return { status, headers, body };
  }

  async #health({ method, target, admitted }: HttpRequest): Promise<HttpResponse | undefined> {
    if (target !== HEALTH.alive && target !== HEALTH.ready) return undefined;
    if (method !== 'GET' && method !== 'HEAD') return undefined;
    admitted();
    const reason = target === HEALTH.ready ? await this.#options.notReady() : undefined;
    // Why it is not, the log and the status page tell: anybody may ask here.
    return (reason === undefined ? lineAnswer('BYPASS', 200, 'ok') : lineAnswer('ERROR', 503, 'not ready'))
      .response;
  }

  /** @param said gets the key, for the log */
  async #answer(request: HttpRequest, limits: RequestLimits, said: { key: string }): Promise<Answer> {
    const { rules, token, viaId, log } = this.#options;
    const { method, target, headers, signal } = request;
    if (token !== undefined && !sameSecret(bearerToken(headers['authorization']) ?? '', token))
      return lineAnswer('REFUSED', 401, 'a token is needed', { 'www-authenticate': 'Bearer' });
    request.admitted();
    if (method === 'OPTIONS')
      return { outcome: 'BYPASS', response: { status: 204, headers: { allow: METHODS } } };
    if (method !== 'GET' && method !== 'HEAD')
      return lineAnswer('REFUSED', 405, 'this is not done here', { allow: METHODS });
    const parsed = parseTarget(target, this.#keyBytes);
    if (parsed.kind === 'refused') return lineAnswer('REFUSED', 400, parsed.reason);
    if (parsed.kind === 'empty') return lineAnswer('BYPASS', 404, 'there is no such object');
    const key = rules.keyOf(parsed.path, parsed.query, this.#keyBytes);
    if (key === undefined) return lineAnswer('REFUSED', 400, 'the path and its query are too long for a key');
    said.key = key.key;
    const passed = mirrorsIn(headers['via']);
    if (isLoop(passed, viaId)) return lineAnswer('REFUSED', 508, 'a loop leads back to this mirror');
    const asked = { method, key, conditions: conditionsIn(method, headers), signal, passed } as const;
    try {
      return (await this.#hits.answer(asked)) ?? (await this.#misses.answer(asked, limits));
    } catch (error) {
      if (!signal.aborted) log.error('fault in answering a request', { key: key.key, err: error });
      return failureAnswer(502, undefined);
    }
  }
}
