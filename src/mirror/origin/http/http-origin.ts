import type { LookupFunction } from 'node:net';
import { encodeKey, hasDotSegment } from '../../key.ts';
import type { MirrorRule } from '../../rule.ts';
import { viaHeader } from '../../via.ts';
import { Deadlines } from '../deadlines.ts';
import { type Origin, type OriginAnswer, OriginError, type OriginKey } from '../origin.ts';
import { isGlobalOrPrivate, isGlobalUnicast } from './addresses.ts';
import { meaningOf } from './answers.ts';
import { readBody, tooLarge } from './body.ts';
import { Connections } from './connections.ts';
import { type Exchange, exchange } from './exchange.ts';
import { type AddressRule, guardedConnect } from './guarded-connect.ts';
import { valueOf } from './header-values.ts';
import { readHead } from './origin-head.ts';
import { type Hop, isSameServer, nextHop } from './redirect.ts';

/** Redirects that are followed, one after the other. */
const MOST_REDIRECTS = 3;
/** What a rule can't send: it belongs to one connection, or is the mirror's own. */
const NOT_SENDABLE =
  /^(?:accept-encoding|connection|content-length|expect|host|if-.*|keep-alive|proxy-.*|range|te|trailer|transfer-encoding|upgrade|via)$/;

const HEADERS = {
  accept: '*/*',
  // What is kept is what the origin has: unpacked it would not be what Content-MD5 and ETag are of.
  'accept-encoding': 'identity',
  'user-agent': 'isync-mirror',
};

/** Whether a rule may send a header upwards; its name in lower case. */
export function isSendable(header: string): boolean {
  return /^[a-z0-9!#$%&'*+.^_`|~-]+$/.test(header) && !NOT_SENDABLE.test(header);
}

export interface HttpOriginOptions {
  /** Of this mirror, see via.ts. */
  readonly viaId: string;
  /** Where hosts are. Default: as the system resolves names. */
  readonly lookup?: LookupFunction | undefined;
  /** Default: what the rule's `allowPrivate` says. */
  readonly mayConnect?: AddressRule | undefined;
}

/** What an HTTP origin needs of its rule. */
export type HttpOriginRule = Pick<
  MirrorRule,
  'send' | 'keeps' | 'takesType' | 'maxSize' | 'timeouts' | 'allowPrivate'
>;

/**
 * An old web server. Nothing of a request to the mirror goes there but the key, the query where the rule passes it, and the ids of
 * mirrors in its `Via`.
 */
export class HttpOrigin implements Origin, AsyncDisposable {
  readonly name: string;
  readonly #origin: string;
  readonly #basePath: string;
  readonly #rule: HttpOriginRule;
  readonly #viaId: string;
  readonly #connections: Connections;

  /** @param base without query, fragment, user and password; its path ends with "/" */
  constructor(base: string, rule: HttpOriginRule, { viaId, lookup, mayConnect }: HttpOriginOptions) {
    const url = new URL(base);
    this.#origin = url.origin;
    this.#basePath = url.pathname;
    this.name = `${url.origin}${url.pathname}`;
    this.#rule = rule;
    this.#viaId = viaId;
    this.#connections = new Connections(
      guardedConnect({
        mayConnect: mayConnect ?? (rule.allowPrivate ? isGlobalOrPrivate : isGlobalUnicast),
        timeoutMs: rule.timeouts.connect,
        lookup,
      }),
    );
  }

  urlOf(key: OriginKey): string | undefined {
    if (hasDotSegment(key.key) || Object.keys(this.#rule.send).length > 0) return undefined;
    return `${this.#origin}${this.#pathOf(key)}`;
  }

  async ask(
    method: 'GET' | 'HEAD',
    key: OriginKey,
    signal: AbortSignal,
    passed: readonly string[] = [],
  ): Promise<OriginAnswer> {
    const deadlines = new Deadlines(this.name, this.#rule.timeouts, signal);
    let answer: Exchange | undefined;
    try {
      // Rules have seen to it; nothing else would keep the request below the base path.
      if (hasDotSegment(key.key)) throw new OriginError(502, `${this.name} is not asked for a way up`);
      const first = { origin: this.#origin, path: this.#pathOf(key) };
      answer = await this.#follow(method, first, viaHeader(passed, this.#viaId), deadlines);
      if (answer === undefined) {
        deadlines[Symbol.dispose]();
        return { kind: 'absent' };
      }
      return await this.#found(method, key, answer, deadlines);
    } catch (error) {
      deadlines[Symbol.dispose]();
      answer?.[Symbol.dispose]();
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#connections[Symbol.asyncDispose]();
  }

  /** By concatenation: what a URL makes of `//evil.example/x` behind a base is another host. */
  #pathOf({ key, query }: OriginKey): string {
    return `${this.#basePath}${encodeKey(key)}${query === undefined ? '' : `?${query}`}`;
  }

  /** The answer that brings the object; undefined where there is none. */
  async #follow(
    method: 'GET' | 'HEAD',
    first: Hop,
    via: string,
    deadlines: Deadlines,
  ): Promise<Exchange | undefined> {
    const own = { ...HEADERS, via };
    let hop = first;
    // Whoever has sent us to another server may send us back to anywhere there.
    let isOwn = true;
    for (let redirects = 0; redirects <= MOST_REDIRECTS; redirects++) {
      const answer = await exchange(this.#connections, {
        name: this.name,
        method,
        hop,
        headers: isOwn ? { ...own, ...this.#rule.send } : own,
        timeouts: this.#rule.timeouts,
        deadlines,
      });
      let isFound = false;
      try {
        const meaning = meaningOf(this.name, answer.status, answer.headers);
        isFound = meaning === 'found';
        if (isFound) return answer;
        if (meaning === 'absent') return undefined;
        hop = nextHop(this.name, hop, valueOf(answer.headers, 'location'));
        isOwn &&= isSameServer(this.#origin, hop.origin);
      } finally {
        if (!isFound) await answer.drop();
      }
    }
    throw new OriginError(502, `${this.name} redirects more than ${MOST_REDIRECTS} times`);
  }

  async #found(
    method: 'GET' | 'HEAD',
    { key }: OriginKey,
    answer: Exchange,
    deadlines: Deadlines,
  ): Promise<OriginAnswer> {
    const { name } = this;
    const { maxSize, timeouts } = this.#rule;
    const { head, notKept, md5 } = readHead(name, key, answer.headers, this.#rule);
    if (head.size !== undefined && head.size > maxSize) throw tooLarge(name, maxSize);
    if (method === 'HEAD') {
      await answer.drop();
      deadlines[Symbol.dispose]();
      return { kind: 'found', ...head, notKept, bytes: nothing(), [Symbol.dispose]: () => {} };
    }
    const plan = { name, size: head.size, md5, maxSize, idleMs: timeouts.idle, deadlines };
    return {
      kind: 'found',
      ...head,
      notKept,
      bytes: readBody(answer, plan),
      [Symbol.dispose]: () => {
        deadlines[Symbol.dispose]();
        answer[Symbol.dispose]();
      },
    };
  }
}

// oxlint-disable-next-line require-yield
async function* nothing(): AsyncGenerator<Uint8Array> {}
