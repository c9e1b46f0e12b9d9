import type { HttpHeaders, HttpResponse } from '../../http/handler.ts';
import { IsyncError } from '../../model/isync-error.ts';
import type { AskedObject } from '../../s3/ask-object.ts';
import type { MirrorKey } from '../fill/fills.ts';
import { httpTime } from '../http-date.ts';
import { encodeKey } from '../key.ts';
import { type Answer, failureAnswer, lineAnswer, passedHeaders, redirectAnswer } from './answers.ts';
import { askedOf, type Conditions, failed, rangeHolds, type Validators } from './conditions.ts';
import type { RepeatedLog } from './repeated-log.ts';
import type { ServeOptions } from './serve-options.ts';

/**
 * An object that is there already, and younger than this, in ms, came between the CDN's look and ours. An older one tells that the
 * CDN can't read the bucket: sent back, it would come here again for ever.
 */
const YOUNG_MS = 60_000;

export interface Asked {
  readonly method: 'GET' | 'HEAD';
  readonly key: MirrorKey;
  readonly conditions: Conditions;
  readonly signal: AbortSignal;
  /** Ids of the mirrors that the request has been through. */
  readonly passed: readonly string[];
}

/** Answers from the bucket. */
export class Hits {
  readonly #options: ServeOptions;
  readonly #log: RepeatedLog;

  constructor(options: ServeOptions, log: RepeatedLog) {
    this.#options = options;
    this.#log = log;
  }

  /** Undefined where the bucket lacks the object. Resolves to an answer also where the bucket can't tell. */
  async answer(asked: Asked): Promise<Answer | undefined> {
    const { onHit, fallback } = this.#options;
    try {
      if (fallback || onHit === 'redirect') return await this.#redirected(asked);
      return await this.#streamed(asked);
    } catch (error) {
      asked.signal.throwIfAborted();
      if (!(error instanceof IsyncError)) throw error;
      this.#log.warn(error.code, 'the bucket fails', { err: error });
      return error.retryable ? failureAnswer(503, undefined) : failureAnswer(502, undefined);
    }
  }

  /** Where a client finds the object in the bucket; undefined where there is no service endpoint. */
  placeOf({ key }: MirrorKey): string | undefined {
    const { serviceEndpoint } = this.#options;
    if (serviceEndpoint === undefined) return undefined;
    // "//name/…" alone would be another host's.
    const path = serviceEndpoint === '' ? encodeKey(key).replace(/^\//, '%2F') : encodeKey(key);
    return `${serviceEndpoint}/${path}`;
  }

  async #redirected(asked: Asked): Promise<Answer | undefined> {
    const { fallback, mostBytes = Infinity, observer } = this.#options;
    const place = this.placeOf(asked.key);
    const { status, headers } = await this.#ask('HEAD', asked, {});
    if (status === 404) return undefined;
    const ageMs = Math.abs(Date.now() - (httpTime(headers['last-modified']) ?? 0));
    if (place !== undefined && (!fallback || ageMs < YOUNG_MS)) return redirectAnswer('HIT', place);
    observer?.loopSuspected();
    this.#log.warn('LOOP_SUSPECTED', 'the CDN asks for an object that is in the bucket', {
      err: new IsyncError('LOOP_SUSPECTED', 'the CDN can not read the bucket', { path: asked.key.key }),
    });
    return Number(headers['content-length'] ?? 0) > mostBytes
      ? failureAnswer(502, undefined)
      : await this.#streamed(asked);
  }

  async #streamed(asked: Asked): Promise<Answer | undefined> {
    const { conditions } = asked;
    const answer = await this.#ask(asked.method, asked, askedOf(conditions));
    const { status } = answer;
    if (status === 404) return undefined;
    if (status === 412) return lineAnswer('HIT', 412, 'the object is another version');
    if (status === 304) return unchanged(answer.headers, conditions);
    if (status === 416) return await this.#beyond(asked);
    const validators = validatorsOf(answer.headers);
    const fault = failed(conditions, validators);
    if (fault !== undefined || (status === 206 && !rangeHolds(conditions, validators))) {
      await leave(answer);
      if (fault === undefined) return await this.#streamed({ ...asked, conditions: whole(conditions) });
      return fault === 412
        ? lineAnswer('HIT', 412, 'the object is another version')
        : unchanged(answer.headers, conditions);
    }
    return await this.#whole(asked, answer);
  }

  async #whole(asked: Asked, answer: AskedObject): Promise<Answer> {
    const { mostBytes = Infinity } = this.#options;
    const place = this.placeOf(asked.key);
    if (asked.method === 'GET' && Number(answer.headers['content-length'] ?? 0) > mostBytes) {
      await leave(answer);
      return place === undefined ? failureAnswer(502, undefined) : redirectAnswer('HIT', place);
    }
    const headers = { ...passedHeaders(answer.headers), 'accept-ranges': 'bytes' };
    return { outcome: 'HIT', response: { status: answer.status, headers, body: answer.body } };
  }

  /** A range that begins behind the object's end; where it is for another version, the whole object. */
  async #beyond(asked: Asked): Promise<Answer | undefined> {
    const { headers, status } = await this.#ask('HEAD', asked, {});
    if (status === 404) return undefined;
    if (!rangeHolds(asked.conditions, validatorsOf(headers)))
      return await this.#streamed({ ...asked, conditions: whole(asked.conditions) });
    return beyondAnswer('HIT', Number(headers['content-length'] ?? 0));
  }

  async #ask(
    method: 'GET' | 'HEAD',
    { key, signal }: Asked,
    headers: Parameters<ServeOptions['objects']['ask']>[2],
  ): Promise<AskedObject> {
    const { objects, prefix } = this.#options;
    return await objects.ask(method, prefix + key.key, headers, signal);
  }
}

/** 416, with the size that the object has. */
export function beyondAnswer(outcome: Answer['outcome'], size: number): Answer {
  return lineAnswer(outcome, 416, 'the object ends before the range', {
    'content-range': `bytes */${size}`,
    'accept-ranges': 'bytes',
  });
}

function unchanged(headers: HttpHeaders, { ifNoneMatch }: Conditions): Answer {
  const passed = passedHeaders(headers, true);
  // Not every server tells it again; where it was asked for alone, it is the one.
  const only = typeof ifNoneMatch === 'object' && ifNoneMatch.length === 1 ? ifNoneMatch[0] : undefined;
  const etag = passed['etag'] ?? only?.replace(/^W\//, '');
  const response: HttpResponse = { status: 304, headers: { ...passed, etag } };
  return { outcome: 'HIT', response };
}

function validatorsOf(headers: HttpHeaders): Validators {
  return { etag: headers['etag'], modifiedMs: httpTime(headers['last-modified']) };
}

function whole(conditions: Conditions): Conditions {
  return { ...conditions, range: undefined, ifRange: undefined };
}

async function leave({ body }: AskedObject): Promise<void> {
  if (body !== undefined && !(body instanceof Uint8Array)) await body[Symbol.asyncIterator]().return?.();
}
