import type { ConditionalPut, PutCondition } from '../../s3/conditional-put.ts';

/**
 * What is put to find out: an object of ours, empty, which is left there for the next process. To try it with a key that somebody else
 * may put would be to lose what he puts at that moment.
 */
export const PROBE_KEY = '.isync/conditions';
/** How long "nobody knows" is believed, in ms: a bucket that is busy or refuses that key is not asked before each object. */
const UNKNOWN_MS = 60_000;
/** No object has this ETag. */
const NO_ETAG = '0'.repeat(32);

type Kind = PutCondition['kind'];

/** Whether a bucket heeds the conditions of a PUT. Some servers say that they don't know them; others overwrite without a word. */
export class Conditions {
  readonly #put: (condition: PutCondition) => Promise<ConditionalPut>;
  readonly #learned = new Map<Kind, Promise<boolean | undefined>>();

  /**
   * @param put puts {@link PROBE_KEY} on a condition
   * @param isAws AWS heeds all of them
   */
  constructor(put: (condition: PutCondition) => Promise<ConditionalPut>, isAws: boolean) {
    this.#put = put;
    if (isAws) for (const kind of ['absent', 'etag'] as const) this.#learned.set(kind, Promise.resolve(true));
  }

  /**
   * Whether a condition alone is enough. Undefined where nobody knows at the moment: then, as where it is not, somebody must look
   * before. Asks the server the first time.
   * @throws the signal's reason
   */
  async heeds(kind: Kind, signal: AbortSignal): Promise<boolean | undefined> {
    signal.throwIfAborted();
    const learned = this.#heeds(kind);
    const aborted = Promise.withResolvers<never>();
    const abort = (): void => aborted.reject(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
    try {
      return await Promise.race([learned, aborted.promise]);
    } finally {
      signal.removeEventListener('abort', abort);
    }
  }

  /** Never rejects. */
  #heeds(kind: Kind): Promise<boolean | undefined> {
    let learned = this.#learned.get(kind);
    if (learned === undefined) {
      learned = (kind === 'absent' ? this.#learnAbsent() : this.#learnEtag()).catch(() => undefined);
      this.#learned.set(kind, learned);
      void learned.then((heeds) => {
        if (heeds === undefined) setTimeout(() => this.#learned.delete(kind), UNKNOWN_MS).unref();
      });
    }
    return learned;
  }

  async #learnAbsent(): Promise<boolean | undefined> {
    const condition = { kind: 'absent' } as const;
    const first = await this.#put(condition);
    if (typeof first !== 'object') return meaningOf(first);
    const second = await this.#put(condition);
    return typeof second === 'object' ? false : meaningOf(second);
  }

  /** The object is there once the other condition is known. */
  async #learnEtag(): Promise<boolean | undefined> {
    const knows = await this.#heeds('absent');
    if (knows !== true) return knows;
    for (const isBare of [undefined, true] as const) {
      const outcome = await this.#put({ kind: 'etag', etag: NO_ETAG, ...(isBare && { isBare }) });
      if (outcome !== 'refused') return typeof outcome === 'object' ? false : meaningOf(outcome);
    }
    return true;
  }
}

function meaningOf(outcome: Exclude<ConditionalPut, object>): boolean | undefined {
  return { refused: true, unsupported: false, conflict: undefined }[outcome];
}
