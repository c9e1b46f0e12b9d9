import { LRUCache } from 'lru-cache';
import { Breaker } from '../../flow/breaker.ts';
import { createRateLimiter } from '../../flow/rate-limiter.ts';
import { OriginError } from '../origin/origin.ts';
import { askOrigins } from './ask-origins.ts';
import { Complaints } from './complaints.ts';
import { Cut } from './cut.ts';
import type { FillNeeds } from './fill-needs.ts';
import type { Fill, FillEnd, FillOptions, Fills, FillsState, FillStart, MirrorKey } from './fills.ts';
import { NO_OBSERVER } from './fills-observer.ts';
import { DEFAULT_LIMITS, type FillsOptions } from './fills-options.ts';
import { GuardedOrigin } from './guarded-origin.ts';
import { Places } from './places.ts';
import { failedStart, refusal } from './refusals.ts';
import { Route } from './route.ts';
import { RunningFill } from './running-fill.ts';
import { WaitingRequests } from './waiting-requests.ts';

/** How long "there is none" of an origin is believed, in ms, and of how many keys at a time (1 KiB each, and little more). */
const ABSENT = { ttl: 10_000, max: 10_000 };
/** The same for "it is in the bucket by now": no caller's look at the bucket is older, as the SDK gives up before. */
const KEPT = { ttl: 60_000, max: 10_000 };

export function createFills(options: FillsOptions): Fills {
  return new OriginFills(options);
}

class OriginFills implements Fills {
  readonly #routes: readonly Route[];
  readonly #isExcepted: (path: string) => boolean;
  readonly #needs: FillNeeds;
  readonly #waiting: WaitingRequests;
  readonly #breakers = new Map<string, Breaker>();
  /** By {@link laneOf}, as are HEADs. */
  readonly #running = new Map<string, RunningFill>();
  /** HEADs have places of their own: they must not wait behind bodies. */
  readonly #headPlaces: Places;
  readonly #heads = new Map<string, Promise<FillStart>>();
  /** Said to a HEAD, which some servers answer with 404 for what a GET brings. */
  readonly #absentHeads = new LRUCache<string, true>(ABSENT);
  readonly #headCuts = new Set<Cut>();
  readonly #ending = new AbortController();

  constructor({ rules, isExcepted, bucket, spool, limits = {}, log, observer = NO_OBSERVER }: FillsOptions) {
    const { fills = DEFAULT_LIMITS.fills, waiting = DEFAULT_LIMITS.waiting, bandwidth } = limits;
    const whole = bandwidth === undefined ? undefined : createRateLimiter(() => bandwidth);
    this.#routes = rules.map(({ rule, origins }) => {
      const guarded = origins.map(
        (origin) => new GuardedOrigin(origin, this.#breakerOf(origin.name), { log, observer }),
      );
      return new Route(rule, guarded, whole);
    });
    this.#isExcepted = isExcepted;
    const complaints = new Complaints(log);
    this.#needs = {
      bucket,
      spool,
      observer,
      places: new Places(fills),
      absent: new LRUCache(ABSENT),
      kept: new LRUCache(KEPT),
      complain: (key, error) => complaints.add(key, error),
    };
    this.#headPlaces = new Places(fills);
    this.#waiting = new WaitingRequests(waiting);
  }

  get state(): FillsState {
    return {
      fills: this.#running.size,
      waiting: this.#waiting.count,
      spoolBytes: this.#needs.spool.usedBytes,
      breakers: [...this.#breakers].map(([origin, { isOpen }]) => ({ origin, isOpen })),
    };
  }

  fill(key: MirrorKey, options: FillOptions = {}): Fill {
    const { observer } = this.#needs;
    const route = this.#routeOf(key);
    if (route === undefined) return settled({ kind: 'unruled' });
    const running = this.#running.get(laneOf(key, options.passed));
    if (running === undefined && this.#needs.absent.has(key.key))
      return settled({ kind: 'absent', remembered: true });
    if (running === undefined && this.#ending.signal.aborted) return refused(refusal('ending', observer));
    if (this.#waiting.isFull) return refused(refusal('waiting', observer));
    const fill = running ?? this.#begin(route, key, options);
    this.#waiting.add(fill.ended, options.signal);
    if (running !== undefined) observer.joined(route.rule.name);
    return {
      joined: running !== undefined,
      started: fill.started,
      received: fill.received,
      ended: fill.ended,
      read: (range, signal) => fill.read(range, signal),
    };
  }

  async head(key: MirrorKey, signal: AbortSignal, passed: readonly string[] = []): Promise<FillStart> {
    signal.throwIfAborted();
    const route = this.#routeOf(key);
    if (route === undefined) return { kind: 'unruled' };
    const lane = laneOf(key, passed);
    const running = this.#running.get(lane);
    if (running !== undefined) return await running.started;
    if (this.#needs.absent.has(key.key) || this.#absentHeads.has(key.key))
      return { kind: 'absent', remembered: true };
    if (this.#ending.signal.aborted) return failedStart(refusal('ending', this.#needs.observer));
    const asked = this.#heads.get(lane);
    if (asked !== undefined) return await asked;
    const asking = this.#askHead(route, key, passed).finally(() => this.#heads.delete(lane));
    this.#heads.set(lane, asking);
    return await asking;
  }

  urlOf(key: MirrorKey): string | undefined {
    return this.#routeOf(key)?.urlOf(key);
  }

  async settled(): Promise<void> {
    while (this.#running.size > 0) await Promise.all([...this.#running.values()].map(({ ended }) => ended));
  }

  async end(cut: AbortSignal): Promise<void> {
    this.#ending.abort();
    const error = new OriginError(503, 'the mirror is stopping', { retryAfter: 1 });
    const cutAll = (): void => {
      for (const fill of this.#running.values()) fill.cut(error);
      for (const head of this.#headCuts) head.now(error);
    };
    if (cut.aborted) cutAll();
    cut.addEventListener('abort', cutAll, { once: true });
    await this.settled();
    await Promise.all(this.#heads.values());
    cut.removeEventListener('abort', cutAll);
  }

  #routeOf(key: MirrorKey): Route | undefined {
    const { path } = key;
    if (this.#isExcepted(path)) return undefined;
    const route = this.#routes.find(({ rule }) => rule.matches(path));
    return route?.has(key) === true ? route : undefined;
  }

  #breakerOf(origin: string): Breaker {
    let breaker = this.#breakers.get(origin);
    if (breaker === undefined) {
      breaker = new Breaker();
      this.#breakers.set(origin, breaker);
    }
    return breaker;
  }

  #begin(route: Route, key: MirrorKey, options: FillOptions): RunningFill {
    const lane = laneOf(key, options.passed);
    const over = ({ kind }: FillEnd): void => {
      this.#running.delete(lane);
      // In the same step: whoever comes next joins, or knows that it is kept.
      if (kind === 'kept' || kind === 'present') this.#needs.kept.set(key.key, true);
    };
    const fill = new RunningFill(route, key, this.#needs, options, over);
    this.#running.set(lane, fill);
    return fill;
  }

  /** Never rejects. */
  async #askHead(route: Route, key: MirrorKey, passed: readonly string[]): Promise<FillStart> {
    const { observer } = this.#needs;
    const { name, concurrency, timeouts } = route.rule;
    using cut = new Cut();
    this.#headCuts.add(cut);
    const { signal } = cut;
    try {
      using place = await this.#headPlaces.enter(name, concurrency, timeouts.firstByte, signal);
      if (place === undefined) return failedStart(refusal('fills', observer));
      cut.afterTotal(timeouts.total);
      const answered = await askOrigins('HEAD', route.origins, route.keyOf(key), signal, passed);
      if (answered.kind === 'failed') return failedStart(answered.error, route.urlOf(key));
      if (answered.kind === 'absent') {
        this.#absentHeads.set(key.key, true);
        return { kind: 'absent', remembered: false };
      }
      using object = answered.object;
      const { size, headers, etag, modifiedMs, metadata } = object;
      const head = { size, headers, etag, modifiedMs, metadata };
      return { kind: 'found', head, origin: answered.from.urlOf(route.keyOf(key)) ?? answered.from.name };
    } catch (error) {
      return failedStart(
        error instanceof OriginError ? error : new OriginError(502, String(error), { cause: error }),
      );
    } finally {
      this.#headCuts.delete(cut);
    }
  }
}

/** What joins each other. No key has a control character. */
function laneOf({ key }: MirrorKey, passed: readonly string[] = []): string {
  return passed.length === 0 ? key : `${key}\0${passed.join()}`;
}

function settled(start: FillStart): Fill {
  return {
    joined: false,
    started: Promise.resolve(start),
    received: Promise.resolve(),
    ended: Promise.resolve({ kind: 'nothing' }),
    read: () => {
      throw new Error('a fill that has found nothing has no body');
    },
  };
}

function refused(error: OriginError): Fill {
  return settled(failedStart(error));
}
