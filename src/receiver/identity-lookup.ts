import type { Log } from '../model/log.ts';
import type { Store, StoreIdentity } from '../store/store.ts';

/** A lookup that takes longer than this is told in the log, in ms. */
const SLOW_MS = 5_000;

/**
 * Asks a store for its identity, with one lookup for all sessions that wait at a time. The end of a session leaves the lookup
 * running: a sender that gives up before a slow store has answered gets the id in one of its next sessions. A lookup may
 * have begun before its session and so tell an older id; that does no harm, since SEAL asks the store again.
 */
export class IdentityLookup implements Disposable {
  readonly #store: Pick<Store, 'identity'>;
  readonly #log: Log;
  readonly #over = new AbortController();
  #current: Promise<StoreIdentity> | undefined;

  constructor(store: Pick<Store, 'identity'>, log: Log) {
    this.#store = store;
    this.#log = log;
  }

  /** Rejects as the store does, or with the reason of `signal` when that fires first. */
  async find(signal: AbortSignal): Promise<StoreIdentity> {
    signal.throwIfAborted();
    this.#current ??= this.#ask().finally(() => (this.#current = undefined));
    const { promise: aborted, reject } = Promise.withResolvers<never>();
    const abort = (): void => reject(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
    try {
      return await Promise.race([this.#current, aborted]);
    } finally {
      signal.removeEventListener('abort', abort);
    }
  }

  /** Aborts the lookup under way. */
  [Symbol.dispose](): void {
    this.#over.abort();
  }

  async #ask(): Promise<StoreIdentity> {
    const slow = setTimeout(() => {
      this.#log.warn('the store is slow to tell its identity: senders wait for it', { waitedMs: SLOW_MS });
    }, SLOW_MS);
    try {
      return await this.#store.identity({ signal: this.#over.signal });
    } finally {
      clearTimeout(slow);
    }
  }
}
