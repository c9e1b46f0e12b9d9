import { setTimeout as delay } from 'node:timers/promises';
import type { HttpHeaders } from '../../http/handler.ts';
import type { Fill, FillEnd, FillStart } from '../fill/fills.ts';
import { OriginError, type OriginHead } from '../origin/origin.ts';
import {
  type Answer,
  contentFields,
  failureAnswer,
  fieldValue,
  lineAnswer,
  type Outcome,
  redirectAnswer,
} from './answers.ts';
import { bytesOf, failed, isTag, rangeHolds } from './conditions.ts';
import { type Asked, beyondAnswer, type Hits } from './hits.ts';
import type { RequestLimits, ServeOptions } from './serve-options.ts';

/**
 * Longest time that a client waits for the bucket to keep what has come, in ms: a PUT to one that hangs is given up after minutes, and
 * a CDN waits for 30 s in all.
 */
const KEPT_WITHIN_MS = 15_000;

/** Answers for what the bucket lacks. */
export class Misses {
  readonly #options: ServeOptions;
  readonly #hits: Hits;

  constructor(options: ServeOptions, hits: Hits) {
    this.#options = options;
    this.#hits = hits;
  }

  async answer(asked: Asked, limits: RequestLimits): Promise<Answer> {
    const { fills, onMiss } = this.#options;
    const { key, signal, passed } = asked;
    if (asked.method === 'HEAD') return await this.#head(asked);
    if (onMiss === 'redirect-origin') {
      const url = fills.urlOf(key);
      const { joined } = url === undefined ? { joined: false } : fills.fill(key, { passed, ...limits });
      if (url !== undefined) return redirectAnswer(joined ? 'JOINED' : 'MISS', url);
    }
    const fill = fills.fill(key, { signal, passed, ...limits });
    const start = await fill.started;
    const outcome = fill.joined ? 'JOINED' : 'MISS';
    if (start.kind !== 'found') return await this.#notFound(asked, start, outcome);
    return this.#streams(start.head, asked)
      ? streamed(fill, start.head, asked, outcome)
      : await this.#whenKept(fill, start.head, asked, outcome);
  }

  async #head(asked: Asked): Promise<Answer> {
    const start = await this.#options.fills.head(asked.key, asked.signal, asked.passed);
    if (start.kind !== 'found') return await this.#notFound(asked, start, 'MISS');
    const { size } = start.head;
    const refused = unheld(start.head, asked, 'MISS');
    if (refused !== undefined) return refused;
    const headers = {
      ...headersOf(start.head),
      'content-length': size === undefined ? undefined : String(size),
    };
    return { outcome: 'MISS', response: { status: 200, headers } };
  }

  /** Whether the client gets the body as it comes. */
  #streams({ size }: OriginHead, { key }: Asked): boolean {
    const { onMiss, mostBytes = Infinity } = this.#options;
    if ((size ?? Infinity) > mostBytes) return false;
    return onMiss === 'stream' || this.#hits.placeOf(key) === undefined;
  }

  /** Sends the client to the bucket once the object is there. */
  async #whenKept(fill: Fill, head: OriginHead, asked: Asked, outcome: Outcome): Promise<Answer> {
    // What can't be kept is read by who waits; this holds it until then.
    const body = fill.read({}, asked.signal)[Symbol.asyncIterator]();
    const leave = async () => void (await body.return?.());
    const { mostBytes = Infinity, keptWithinMs = KEPT_WITHIN_MS, fills, rules } = this.#options;
    await fill.received;
    const end = await endOf(fill, keptWithinMs);
    const place = this.#hits.placeOf(asked.key);
    const url = fills.urlOf(asked.key);
    // Where clients may well not get to the origin, the body is there.
    if (end === undefined && url !== undefined && rules.ruleOf(asked.key.path)?.allowPrivate === false) {
      await leave();
      return redirectAnswer('BYPASS', url);
    }
    if (isThere(end) && place !== undefined) {
      await leave();
      return redirectAnswer(outcome, place);
    }
    const failure = end?.kind === 'failed' ? end : undefined;
    const error = failure?.error instanceof OriginError ? failure.error : undefined;
    if (failure !== undefined && error === undefined && !failure.isWhole) {
      await leave();
      return failureAnswer(503, undefined);
    }
    if (error === undefined && (head.size ?? Infinity) <= mostBytes) {
      // It is whole, only not in the bucket.
      const size = head.size === undefined ? undefined : String(head.size);
      const headers = { ...headersOf(head), 'content-length': size };
      return { outcome, response: { status: 200, headers, body: { [Symbol.asyncIterator]: () => body } } };
    }
    await leave();
    if (error !== undefined && error.status !== 302) return failureAnswer(error.status, error.retryAfter);
    return url === undefined ? failureAnswer(502, undefined) : redirectAnswer('BYPASS', url);
  }

  async #notFound(
    asked: Asked,
    start: Exclude<FillStart, { readonly kind: 'found' }>,
    outcome: Outcome,
  ): Promise<Answer> {
    switch (start.kind) {
      case 'unruled':
        return lineAnswer('BYPASS', 404, 'there is no such object');
      case 'absent':
        return lineAnswer(start.remembered ? 'NEGATIVE' : outcome, 404, 'there is no such object');
      case 'present':
        return (await this.#hits.answer(asked)) ?? failureAnswer(503, undefined);
      case 'failed': {
        const { error, url } = start;
        if (url !== undefined) return redirectAnswer('BYPASS', url);
        return failureAnswer(error.status === 302 ? 502 : error.status, error.retryAfter);
      }
    }
  }
}

/** Undefined where it takes longer than `ms`. */
async function endOf({ ended }: Fill, ms: number): Promise<FillEnd | undefined> {
  const waiting = new AbortController();
  const late = delay(ms, undefined, { signal: waiting.signal }).catch(() => undefined);
  const end = await Promise.race([ended, late]);
  waiting.abort();
  return end;
}

function isThere(end: FillEnd | undefined): boolean {
  return end?.kind === 'kept' || end?.kind === 'present';
}

/** The body as it comes, or the part of it that is wanted. Nothing may be waited for before: see {@link Fill.read}. */
function streamed(fill: Fill, head: OriginHead, asked: Asked, outcome: Outcome): Answer {
  const refused = unheld(head, asked, outcome);
  if (refused !== undefined) return refused;
  const { size } = head;
  const { range } = asked.conditions;
  const headers = headersOf(head);
  const validators = { etag: head.etag, modifiedMs: secondsOf(head.modifiedMs) };
  if (size === undefined || range === undefined || !rangeHolds(asked.conditions, validators)) {
    const length = size === undefined ? undefined : String(size);
    const body = fill.read({}, asked.signal);
    return { outcome, response: { status: 200, headers: { ...headers, 'content-length': length }, body } };
  }
  const part = bytesOf(range, size);
  if (part === undefined) return beyondAnswer(outcome, size);
  const partial = {
    ...headers,
    'content-length': String(part.end - part.start),
    'content-range': `bytes ${part.start}-${part.end - 1}/${size}`,
  };
  return { outcome, response: { status: 206, headers: partial, body: fill.read(part, asked.signal) } };
}

/** The answer where a condition does not hold for what the origin has. The object is filled all the same. */
function unheld(head: OriginHead, { conditions }: Asked, outcome: Outcome): Answer | undefined {
  const status = failed(conditions, { etag: head.etag, modifiedMs: secondsOf(head.modifiedMs) });
  if (status === undefined) return undefined;
  if (status === 412) return lineAnswer(outcome, 412, 'the object is another version');
  const { etag, expires, ...others } = headersOf(head);
  return {
    outcome,
    response: {
      status,
      headers: {
        etag,
        expires,
        'cache-control': others['cache-control'],
        'last-modified': others['last-modified'],
      },
    },
  };
}

function headersOf({ headers, etag, modifiedMs, metadata, size }: OriginHead): HttpHeaders {
  const told: Record<string, string | undefined> = {
    ...contentFields(headers),
    // What is no ETag would come back in a condition as something else: "*" holds for every version.
    etag: isTag(etag) ? etag : undefined,
    'last-modified': modifiedMs === undefined ? undefined : new Date(modifiedMs).toUTCString(),
    'accept-ranges': size === undefined ? undefined : 'bytes',
  };
  for (const [name, value] of Object.entries(metadata)) told[`x-amz-meta-${name}`] = value;
  return Object.fromEntries(Object.entries(told).map(([name, value]) => [name, fieldValue(value)]));
}

function secondsOf(ms: number | undefined): number | undefined {
  return ms === undefined ? undefined : Math.floor(ms / 1000) * 1000;
}
