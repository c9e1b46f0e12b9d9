import { IsyncError } from '../model/isync-error.ts';

/**
 * What a reader must take at least where others wait for its place, in bytes a second: less than the worst link of a telephone gives,
 * and 8 MiB a second for 256 of them.
 */
const LEAST_RATE = 32 * 1024;
/** How long it may take nothing, in ms: a link that breaks down for a moment. */
const GRACE_MS = 10_000;
/** A request that gets no place within this time, in ms, is refused: quick readers may hold all of them. */
const PATIENCE_MS = 15_000;
/** How often readers are looked at while somebody waits, in ms. */
const LOOK_MS = 250;

interface Waiting {
  readonly resolve: (place: ReadPlace | undefined) => void;
}

/**
 * Places of objects that are read at a time. Those who wait get the places of those that take less than 32 KiB a second: else some
 * clients that read as slowly as they may would keep the bucket from all others.
 */
export class ReadPlaces {
  readonly #most: number;
  readonly #patienceMs: number;
  readonly #graceMs: number;
  readonly #held = new Set<ReadPlace>();
  /** In the order of their calls. */
  readonly #waiting = new Set<Waiting>();
  #looking: NodeJS.Timeout | undefined;

  constructor(most: number, { patienceMs = PATIENCE_MS, graceMs = GRACE_MS } = {}) {
    this.#most = most;
    this.#patienceMs = patienceMs;
    this.#graceMs = graceMs;
  }

  /** @returns undefined where there was none in time. Dispose of it in the end. @throws the signal's reason */
  async enter(signal: AbortSignal): Promise<ReadPlace | undefined> {
    if (this.#held.size < this.#most) return this.#take();
    signal.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<ReadPlace | undefined>();
    const waiting = { resolve };
    const leave = (settle: () => void) => (): void => {
      this.#waiting.delete(waiting);
      settle();
    };
    const abort = leave(() => reject(signal.reason));
    const timer = setTimeout(
      leave(() => resolve(undefined)),
      this.#patienceMs,
    );
    signal.addEventListener('abort', abort, { once: true });
    this.#waiting.add(waiting);
    this.#look();
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', abort);
    }
  }

  #take(): ReadPlace {
    const place = new ReadPlace(this.#graceMs, () => {
      this.#held.delete(place);
      this.#serve();
    });
    this.#held.add(place);
    return place;
  }

  #serve(): void {
    for (const waiting of this.#waiting) {
      if (this.#held.size >= this.#most) return;
      this.#waiting.delete(waiting);
      waiting.resolve(this.#take());
    }
  }

  /** Takes as many places from slow readers as are waited for; the slowest first. */
  #look(): void {
    clearTimeout(this.#looking);
    const nowMs = performance.now();
    const slow = [...this.#held].filter((place) => place.overdueMs(nowMs) > 0);
    slow.sort((a, b) => b.overdueMs(nowMs) - a.overdueMs(nowMs));
    for (const place of slow.slice(0, this.#waiting.size)) place.cut();
    if (this.#waiting.size > 0) this.#looking = setTimeout(() => this.#look(), LOOK_MS);
  }
}

/** A place among the readers. */
class ReadPlace implements Disposable {
  readonly #graceMs: number;
  readonly #left: () => void;
  /** Until when it has earned its place; undefined while the server is waited for, which is nobody's fault here. */
  #earnedUntilMs: number | undefined;
  #isHeld = true;
  #cut: (() => void) | undefined;

  constructor(graceMs: number, left: () => void) {
    this.#graceMs = graceMs;
    this.#left = left;
  }

  /** How long ago it should have taken something, in ms; less where it need not have. */
  overdueMs(nowMs: number): number {
    return nowMs - (this.#earnedUntilMs ?? Infinity);
  }

  /** Gives the place to somebody else, and ends what is being read. */
  cut(): void {
    this.#cut?.();
    this[Symbol.dispose]();
  }

  [Symbol.dispose](): void {
    if (!this.#isHeld) return;
    this.#isHeld = false;
    this.#left();
  }

  /**
   * The same pieces; they reject with BUSY once the place is somebody else's.
   * @param what is read, for people
   */
  paced(pieces: AsyncIterable<Uint8Array>, what: string): AsyncIterableIterator<Uint8Array, undefined> {
    const iterator = pieces[Symbol.asyncIterator]();
    let isCut = false;
    this.#earnedUntilMs = performance.now() + this.#graceMs;
    this.#cut = () => {
      isCut = true;
      void Promise.resolve(iterator.return?.()).catch(() => {
        // It is not wanted.
      });
    };
    const end = { done: true, value: undefined } as const;
    return {
      [Symbol.asyncIterator]() {
        return this;
      },
      next: async () => {
        if (isCut) throw tooSlow(what);
        const leftMs = Math.max(0, -this.overdueMs(performance.now()));
        this.#earnedUntilMs = undefined;
        const { done, value } = await iterator.next();
        if (isCut) throw tooSlow(what);
        if (done === true) return end;
        const earnedMs = Math.min(this.#graceMs, leftMs + (value.length / LEAST_RATE) * 1000);
        this.#earnedUntilMs = performance.now() + earnedMs;
        return { done: false, value };
      },
      return: async () => {
        await iterator.return?.();
        return end;
      },
    };
  }
}

function tooSlow(what: string): IsyncError {
  return new IsyncError('BUSY', `others waited to read, and it was read too slowly: ${what}`);
}
