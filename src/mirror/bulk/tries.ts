import { Backoff } from '../../flow/retry.ts';
import { IsyncError } from '../../model/isync-error.ts';
import { factsOf } from '../../model/error-table.ts';
import { OriginError } from '../origin/origin.ts';

/** How often one key is tried: what is wrong with one object seldom mends itself. */
const TRIES = 3;
/** How long a key waits for an origin or a bucket that is busy or away, in ms. */
const PATIENCE_MS = 60_000;
/** Keys in a row that waited so long in vain, or were refused, after which nothing more is tried. */
const MOST_IN_VAIN = 32;

/** Tries keys again, and tells when the other side is away for all of them. One for a whole run. */
export class Tries {
  readonly #signal: AbortSignal;
  readonly #giveUpAfterMs: number;
  #inVain = 0;

  /** @param signal ends the waits */
  constructor(signal: AbortSignal, giveUpAfterMs = PATIENCE_MS) {
    this.#signal = signal;
    this.#giveUpAfterMs = giveUpAfterMs;
  }

  /**
   * Runs `attempt` until it succeeds, or until there is no sense in it any more: then it rejects with the last error. An IsyncError
   * of them ends the run if {@link endsRun} says so.
   */
  async run<T>(attempt: () => Promise<T>): Promise<T> {
    const backoff = new Backoff({
      giveUpAfterMs: this.#giveUpAfterMs,
      firstDelayMs: 200,
      longestDelayMs: 10_000,
    });
    for (let tries = 1; ; tries++) {
      try {
        const result = await attempt();
        this.#inVain = 0;
        return result;
      } catch (error) {
        if (this.#signal.aborted) throw error;
        if (refusalIn(error) !== undefined) this.#inVain += 1;
        if (!mayPass(error)) throw error;
        if (!isAway(error) && tries >= TRIES) throw error;
        const waited = await backoff.wait({ signal: this.#signal }).catch(() => false);
        if (waited) continue;
        if (!this.#signal.aborted && isAway(error)) this.#inVain += 1;
        throw error;
      }
    }
  }

  /** Why the run is to end, after a key has failed with `error`; undefined where the next one may succeed. */
  endsRun(error: unknown): IsyncError | undefined {
    if (error instanceof IsyncError && factsOf(error.code).concerns !== 'item' && !error.retryable)
      return error;
    if (this.#inVain < MOST_IN_VAIN) return undefined;
    const refusal = refusalIn(error);
    if (refusal !== undefined) return refusal;
    const words = error instanceof Error ? error.message : String(error);
    return new IsyncError('UNREACHABLE', `nothing succeeds any more: ${words}`, {
      cause: error,
      hint: 'Run it again when the origin and the bucket answer: it goes on from there.',
    });
  }
}

/** Whether it says that nothing can be had at the moment, of whatever key. */
function isAway(error: unknown): boolean {
  if (error instanceof OriginError) return error.status === 503 || error.isAway;
  return error instanceof IsyncError && error.retryable;
}

function mayPass(error: unknown): boolean {
  if (refusalIn(error) !== undefined) return false;
  if (!(error instanceof OriginError)) return error instanceof IsyncError && error.retryable;
  if (error.status === 302) return false;
  return !(error.cause instanceof IsyncError) || error.cause.retryable;
}

/**
 * What a bucket, or an origin that is one, has against all keys, or against this one: only a person can mend it. Files that wait for a
 * bucket may be tried again all the same, so the error itself is retryable.
 */
function refusalIn(error: unknown): IsyncError | undefined {
  const said = error instanceof OriginError ? error.cause : error;
  if (!(said instanceof IsyncError) || !said.retryable) return undefined;
  const { concerns, retryable = false } = factsOf(said.code);
  return concerns === 'item' || retryable ? undefined : said;
}
