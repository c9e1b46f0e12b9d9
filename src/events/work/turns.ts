import { Limiter } from '../../flow/limiter.ts';

/**
 * Of all actions at a time, those that are for buckets that have none yet: one each, while none of the others' comes to an end.
 * They are two at least, for two buckets may hang. Of fewer than eight there is none to spare.
 */
const RESERVE = 1 / 8;
const LEAST_RESERVE = 2;
const LEAST_SHARED_WIDTH = 8;
/** Where the first of a bucket's records has waited for so long, in ms, no more of them than its share wait here. */
const SLOW_MS = 10_000;

/** Why somebody's turn has not come. */
export type NoTurn = 'slow' | 'stopped';

/** What somebody does whose turn it is. */
type TurnTask<T> = (leave: () => void) => Promise<T>;

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
  /** The lower the earlier. */
  readonly rank: number;
  timer: NodeJS.Timeout | undefined;
  readonly begin: () => Promise<void>;
  readonly leave: (why: NoTurn) => void;
}

interface OfBucket {
  readonly name: string;
  /** Those whose turn has not come, the first first. */
  readonly waiting: Set<Waiting>;
  running: number;
}

/** Whose turn it is: so many at a time, in their order; but the last ones are for buckets that have none. */
export class Turns {
  readonly #width: number;
  readonly #all: Limiter;
  readonly #share: number;
  readonly #slowMs: number;
  readonly #areShared: boolean;
  /** Ends the wait of each whose turn has not come, where no bucket has to leave room for others. */
  readonly #queued = new Set<() => void>();
  readonly #buckets = new Map<string, OfBucket>();
  #running = 0;
  #ranks = 0;

  constructor({ width, areShared, slowMs = SLOW_MS }: TurnsOptions) {
    const reserve = width < LEAST_SHARED_WIDTH ? 0 : Math.max(LEAST_RESERVE, Math.floor(width * RESERVE));
    this.#width = width;
    this.#all = new Limiter(width);
    this.#areShared = areShared;
    this.#share = areShared ? width - reserve : width;
    this.#slowMs = slowMs;
  }

  /**
   * Resolves to what `task` does when it is its turn, or to why that has not come.
   * @param mayLeave whether it may be told that its bucket is slow: then a place here is for somebody else
   * @param task never rejects. It may call `leave`, and goes on without a turn then
   */
  take<T>(bucket: string, mayLeave: boolean, task: TurnTask<T>): Promise<T | NoTurn> {
    if (!this.#areShared) return this.#takeAny(task);
    const own = this.#of(bucket);
    if (mayLeave && this.#isSlow(own)) return Promise.resolve('slow');
    const turn = new Promise<T | NoTurn>((resolve) => {
      const waiting: Waiting = {
        sinceMs: performance.now(),
        rank: this.#ranks++,
        timer: undefined,
        begin: async () => await untilOver(task, resolve),
        leave: (why) => {
          this.#leaves(own, waiting);
          this.#forget(own);
          resolve(why);
        },
      };
      own.waiting.add(waiting);
      if (mayLeave) waiting.timer = setTimeout(() => this.#leaveRoom(own, waiting), this.#slowMs);
    });
    this.#beginAll();
    return turn;
  }

  /** Begins whatever may begin now. */
  #beginAll(): void {
    for (let next = this.#next(); next !== undefined; next = this.#next()) {
      const [own, waiting] = next;
      this.#leaves(own, waiting);
      own.running += 1;
      this.#running += 1;
      void waiting.begin().finally(() => {
        own.running -= 1;
        this.#running -= 1;
        this.#forget(own);
        this.#beginAll();
      });
    }
  }

  /** The first of those that may begin. */
  #next(): readonly [OfBucket, Waiting] | undefined {
    if (this.#running >= this.#width) return undefined;
    let next: readonly [OfBucket, Waiting] | undefined;
    for (const own of this.#buckets.values()) {
      const [first] = own.waiting;
      if (first === undefined || (own.running > 0 && this.#running >= this.#share)) continue;
      if (next === undefined || first.rank < next[1].rank) next = [own, first];
    }
    return next;
  }

  #forget({ name, running, waiting }: OfBucket): void {
    if (running + waiting.size === 0) this.#buckets.delete(name);
  }

  #leaves({ waiting }: OfBucket, each: Waiting): void {
    clearTimeout(each.timer);
    waiting.delete(each);
  }

  /** Without a place for each bucket, which would cost some KB a task until the next full collection. */
  #takeAny<T>(task: TurnTask<T>): Promise<T | NoTurn> {
    return new Promise((resolve) => {
      const stop = (): void => resolve('stopped');
      this.#queued.add(stop);
      void this.#all.run(async () => {
        if (this.#queued.delete(stop)) await untilOver(task, resolve);
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
    const fresh = { name: bucket, waiting: new Set<Waiting>(), running: 0 };
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

/** Resolves when the task has left its turn, or ended. */
function untilOver<T>(task: TurnTask<T>, ended: (result: T) => void): Promise<void> {
  return new Promise((over) => {
    void task(over).then((result) => {
      ended(result);
      over();
    });
  });
}
