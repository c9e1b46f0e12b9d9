import { Limiter } from '../../flow/limiter.ts';

/**
 * Of all actions at a time, those that one bucket may have: the rest is for others, also while none of its own comes to an end. Of
 * fewer than eight it may have all: there is as little to spare for its own keys that are not slow.
 */
const SHARE = 7 / 8;
/** Where the first of a bucket's records has waited for so long, in ms, no more of them than its share wait here. */
const SLOW_MS = 10_000;

/** Why somebody's turn has not come. */
export type NoTurn = 'slow' | 'stopped';

export interface TurnsOptions {
  /** Actions at a time. */
  readonly width: number;
  /** Whether buckets have to leave room for one another. */
  readonly areShared: boolean;
  /** Default {@link SLOW_MS}. */
  readonly slowMs?: number | undefined;
}

interface Waiting {
  readonly sinceMs: number;
  timer: NodeJS.Timeout | undefined;
  readonly leave: (why: NoTurn) => void;
}

interface OfBucket {
  readonly limiter: Limiter;
  /** Those whose turn has not come, the first first. */
  readonly waiting: Set<Waiting>;
  users: number;
}

/** Whose turn it is: so many at a time, in their order, and of each bucket fewer than all. */
export class Turns {
  readonly #all: Limiter;
  readonly #share: number;
  readonly #slowMs: number;
  readonly #areShared: boolean;
  /** Ends the wait of each whose turn has not come, where no bucket has to leave room for others. */
  readonly #queued = new Set<() => void>();
  readonly #buckets = new Map<string, OfBucket>();

  constructor({ width, areShared, slowMs = SLOW_MS }: TurnsOptions) {
    this.#all = new Limiter(width);
    this.#areShared = areShared;
    this.#share = areShared ? Math.ceil(width * SHARE) : width;
    this.#slowMs = slowMs;
  }

  /**
   * Resolves to what `task` does when it is its turn, or to why that has not come.
   * @param mayLeave whether it may be told that its bucket is slow: then a place here is for somebody else
   * @param task never rejects
   */
  take<T>(bucket: string, mayLeave: boolean, task: () => Promise<T>): Promise<T | NoTurn> {
    if (!this.#areShared) return this.#takeAny(task);
    const own = this.#of(bucket);
    if (mayLeave && this.#isSlow(own)) return Promise.resolve('slow');
    own.users += 1;
    return new Promise((resolve) => {
      const waiting: Waiting = {
        sinceMs: performance.now(),
        timer: undefined,
        leave: (why) => {
          clearTimeout(waiting.timer);
          own.waiting.delete(waiting);
          resolve(why);
        },
      };
      own.waiting.add(waiting);
      if (mayLeave) waiting.timer = setTimeout(() => this.#leaveRoom(own, waiting), this.#slowMs);
      const turn = async (): Promise<void> => {
        clearTimeout(waiting.timer);
        if (own.waiting.delete(waiting)) resolve(await task());
      };
      void own.limiter
        .run(() => this.#all.run(turn))
        .finally(() => {
          own.users -= 1;
          if (own.users === 0) this.#buckets.delete(bucket);
        });
    });
  }

  /** Without a place for each bucket, which would cost some KB a task until the next full collection. */
  #takeAny<T>(task: () => Promise<T>): Promise<T | NoTurn> {
    return new Promise((resolve) => {
      const stop = (): void => resolve('stopped');
      this.#queued.add(stop);
      void this.#all.run(async () => {
        if (this.#queued.delete(stop)) resolve(await task());
      });
    });
  }

  /** Tells all that wait that their turn does not come. */
  stop(): void {
    for (const stop of this.#queued) stop();
    this.#queued.clear();
    for (const { waiting } of this.#buckets.values()) for (const each of waiting) each.leave('stopped');
  }

  #of(bucket: string): OfBucket {
    const known = this.#buckets.get(bucket);
    if (known !== undefined) return known;
    const fresh = { limiter: new Limiter(this.#share), waiting: new Set<Waiting>(), users: 0 };
    this.#buckets.set(bucket, fresh);
    return fresh;
  }

  #isSlow({ waiting }: OfBucket): boolean {
    const [first] = waiting;
    return (
      first !== undefined && waiting.size >= this.#share && performance.now() - first.sinceMs > this.#slowMs
    );
  }

  #leaveRoom({ waiting }: OfBucket, each: Waiting): void {
    if ([...waiting].indexOf(each) >= this.#share) each.leave('slow');
  }
}
