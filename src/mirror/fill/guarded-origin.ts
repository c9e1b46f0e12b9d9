import type { Breaker } from '../../flow/breaker.ts';
import { IsyncError } from '../../model/isync-error.ts';
import type { Log } from '../../model/log.ts';
import {
  AWAY_CURE,
  faultFields,
  type Origin,
  type OriginAnswer,
  OriginError,
  type OriginKey,
} from '../origin/origin.ts';
import type { FillsObserver } from './fills-observer.ts';

/** The same complaint about an origin is logged again after this long, in ms; with it, how often it came meanwhile. */
const REPEAT_MS = 60_000;

/** An answer, and where to tell how its body went. */
export interface Asked {
  readonly answer: OriginAnswer;
  readonly bodyEnded: () => void;
  readonly bodyFailed: (error: OriginError) => void;
}

/** An origin that is left alone for a while when it is away. */
export class GuardedOrigin {
  readonly name: string;
  readonly #origin: Origin;
  readonly #breaker: Breaker;
  readonly #log: Log;
  readonly #observer: FillsObserver;
  /** By status, of which there are five. */
  readonly #logged = new Map<number, { readonly atMs: number; more: number }>();

  constructor(origin: Origin, breaker: Breaker, { log, observer }: { log: Log; observer: FillsObserver }) {
    this.name = origin.name;
    this.#origin = origin;
    this.#breaker = breaker;
    this.#log = log.with({ origin: origin.name });
    this.#observer = observer;
  }

  urlOf(key: OriginKey): string | undefined {
    return this.#origin.urlOf(key);
  }

  /** @throws OriginError, or the signal's reason */
  async ask(
    method: 'GET' | 'HEAD',
    key: OriginKey,
    signal: AbortSignal,
    passed: readonly string[],
  ): Promise<Asked> {
    signal.throwIfAborted();
    const why = this.#breaker.enter();
    if (why !== undefined) {
      const retryAfter = Math.max(1, Math.ceil(this.#breaker.openMs / 1000));
      throw new OriginError(503, `${this.name} is away (${why.message})`, { retryAfter, cause: why });
    }
    const { openings } = this.#breaker;
    const sinceMs = performance.now();
    const told = (outcome: 'found' | 'absent' | 'failed'): void =>
      this.#observer.asked(this.name, outcome, performance.now() - sinceMs);
    try {
      const answer = await this.#origin.ask(method, key, signal, passed);
      told(answer.kind);
      // One that answers and then lets its bodies stall is away, too: only a whole body tells that it is not.
      if (answer.kind === 'absent' || method === 'HEAD' || this.#breaker.isOpen) this.#succeeded();
      return {
        answer,
        bodyEnded: () => this.#succeeded(),
        bodyFailed: (error) => this.#failed(error, openings),
      };
    } catch (error) {
      if (signal.aborted) {
        this.#breaker.answered(openings);
        throw signal.reason;
      }
      told('failed');
      const failure = originErrorOf(error);
      this.#failed(failure, openings);
      throw failure;
    }
  }

  #succeeded(): void {
    if (!this.#breaker.succeeded()) return;
    this.#observer.breaker(this.name, false);
    this.#log.info('the origin answers again');
  }

  #failed(error: OriginError, openings: number): void {
    this.#complain(error);
    if (!error.isAway) {
      this.#breaker.answered(openings);
      return;
    }
    if (!this.#breaker.failed(error, openings)) return;
    this.#observer.breaker(this.name, true);
    this.#log.warn('the origin is away: it is not asked for a while', faultFields(error));
  }

  #complain(error: OriginError): void {
    // A large object is nothing to complain about.
    if (error.status === 302) return;
    const atMs = performance.now();
    const before = this.#logged.get(error.status);
    if (before !== undefined && atMs - before.atMs < REPEAT_MS) {
      before.more += 1;
      return;
    }
    this.#logged.set(error.status, { atMs, more: 0 });
    const { status } = error;
    this.#log.warn('the origin fails', {
      status,
      ...faultFields(error),
      ...(error.isAway && { hint: AWAY_CURE }),
      suppressed: before?.more ?? 0,
    });
  }
}

function originErrorOf(error: unknown): OriginError {
  if (error instanceof OriginError) return error;
  const words = error instanceof Error ? error.message : String(error);
  const isAway = error instanceof IsyncError && error.retryable;
  return new OriginError(502, words, { isAway, cause: error });
}
