import { Limiter } from '../../flow/limiter.ts';
import { Backoff } from '../../flow/retry.ts';
import { TaskGroup } from '../../flow/task-group.ts';
import { Wakeup } from '../../flow/wake-up.ts';
import { type IsyncError, toIsyncError } from '../../model/isync-error.ts';
import type { Apply, Outcome, Task } from '../action/outcome.ts';
import { newestOf } from './newest.ts';

/** How long after a created event that finds no object its key is looked at again, in ms: some stores tell before it is there. */
const LOOK_AGAIN_MS = 5_000;
/** Waits between the tries of a record that fails for good, or is not given back, in ms. */
const RETRY = { giveUpAfterMs: undefined, firstDelayMs: 500, longestDelayMs: 30_000 };

/** What came of a record. */
export type Result =
  | { readonly kind: 'done'; readonly outcome: Outcome }
  /** `error.retryable`: trouble that passes by itself; else it has failed as often as it may. */
  | { readonly kind: 'failed'; readonly error: IsyncError }
  /** Not looked at any more, because this process ends. */
  | { readonly kind: 'stopped' };

/** A record that waits for its turn. */
export interface Item {
  readonly task: Omit<Task, 'isLastLook'>;
  /** How long temporary trouble is waited out here, in ms from the first failure: its message can't be given back without harm. */
  readonly staysMs: number;
  readonly settle: (result: Result) => void;
}

export interface LanesOptions {
  readonly apply: Apply;
  /** Looks under way at a time. */
  readonly concurrency: number;
  /** Failures for good of a record before it is given up. */
  readonly attempts: number;
  /** Told of each failure after which a record is tried again here. */
  readonly onRetry: (item: Item, error: IsyncError) => void;
  /** Once it fires nothing more is begun. */
  readonly signal: AbortSignal;
  /** Ends looks under way. */
  readonly cut: AbortSignal;
  /** Default {@link LOOK_AGAIN_MS}. */
  readonly lookAgainMs?: number | undefined;
}

/**
 * Works on many paths at once, and on one path by one at a time. Of several records of a key that wait, one look serves all:
 * each look asks the bucket how the key is now, and a record that comes while it is under way waits for the next one.
 */
export class Lanes {
  readonly #options: LanesOptions;
  readonly #limiter: Limiter;
  readonly #lanes = new Map<string, Lane>();
  readonly #running = new TaskGroup();
  /** Ends the wait of each look that has not begun. */
  readonly #queued = new Set<() => void>();
  /** When each record that waits trouble out failed first, on the clock of performance.now(). */
  readonly #failedAt = new WeakMap<Item, number>();

  constructor(options: LanesOptions) {
    this.#options = options;
    this.#limiter = new Limiter(options.concurrency);
    options.signal.addEventListener('abort', () => this.#stopWaiting(), { once: true });
  }

  /** Takes a record; `item.settle` is called once. */
  add(item: Item): void {
    const { mapping, path } = item.task;
    // Two keys may lead to one path.
    const place = `${mapping.folder}/${path}`;
    const lane = this.#lanes.get(place);
    if (lane !== undefined) {
      lane.waiting.push(item);
      lane.news.wake();
      return;
    }
    const fresh = { waiting: [item], news: new Wakeup() };
    this.#lanes.set(place, fresh);
    this.#running.add(this.#work(place, fresh));
  }

  /** Resolves when all records have been settled. */
  idle(): Promise<void> {
    return this.#running.idle();
  }

  /** What has not begun is told so at once: others may have it while what has begun is finished. */
  #stopWaiting(): void {
    for (const stop of this.#queued) stop();
    for (const lane of this.#lanes.values()) for (const item of lane.waiting.splice(0)) item.settle(STOPPED);
  }

  async #work(place: string, lane: Lane): Promise<void> {
    for (let group = takeGroup(lane); group !== undefined; group = takeGroup(lane)) {
      const result = await this.#settled(lane, group);
      if (result === 'others first') lane.waiting.push(...group);
      else for (const item of group) item.settle(result);
    }
    this.#lanes.delete(place);
  }

  /** Looks at a key until that has led to something. Records of the key that come meanwhile join `group`. */
  async #settled(lane: Lane, group: Item[]): Promise<Result | 'others first'> {
    const { attempts, onRetry, signal, lookAgainMs = LOOK_AGAIN_MS } = this.#options;
    const backoff = new Backoff(RETRY);
    let failures = 0;
    let isLastLook = false;
    for (;;) {
      if (signal.aborted) return STOPPED;
      const looked = await this.#look(lane, group, isLastLook);
      if (looked.kind === 'done' && looked.outcome.outcome === 'missing') {
        // A record that comes meanwhile deserves two looks of its own.
        isLastLook = !(await this.#comes(lane, group, lookAgainMs));
        continue;
      }
      if (looked.kind !== 'failed') return looked;
      const { error } = looked;
      if (!error.retryable) failures += 1;
      const isOver = error.retryable ? !this.#staysAny(group) : failures >= attempts;
      if (isOver) return looked;
      for (const item of group) onRetry(item, error);
      await backoff.wait({ signal }).catch(() => signal.aborted);
      // What one waits for may be that another key gives the path up.
      if (error.retryable && lane.waiting.length > 0) return 'others first';
    }
  }

  /** Whether the trouble is still to be waited out for one of `group`, give or take the wait between two tries. */
  #staysAny(group: readonly Item[]): boolean {
    const now = performance.now();
    for (const item of group) if (!this.#failedAt.has(item)) this.#failedAt.set(item, now);
    return group.some((item) => now - (this.#failedAt.get(item) ?? now) < item.staysMs);
  }

  /** Resolves to true as soon as another record of the key waits, or to false after `ms`. */
  async #comes(lane: Lane, group: Item[], ms: number): Promise<boolean> {
    const { signal } = this.#options;
    const end = performance.now() + ms;
    for (let left = ms; left > 0 && !signal.aborted; left = end - performance.now()) {
      if (waitsIn(lane, group)) return true;
      await lane.news.sleep(left, signal);
    }
    return waitsIn(lane, group);
  }

  #look(lane: Lane, group: Item[], isLastLook: boolean): Promise<Result> {
    return new Promise((resolve) => {
      const stop = (): void => resolve(STOPPED);
      this.#queued.add(stop);
      void this.#limiter.run(async () => {
        this.#queued.delete(stop);
        if (this.#options.signal.aborted) return stop();
        join(lane, group);
        return resolve(await this.#apply(group, isLastLook));
      });
    });
  }

  /** Never rejects. */
  async #apply(group: readonly Item[], isLastLook: boolean): Promise<Result> {
    const { apply, cut } = this.#options;
    try {
      return { kind: 'done', outcome: await apply({ ...newestOf(group), isLastLook }, cut) };
    } catch (error) {
      return cut.aborted ? STOPPED : { kind: 'failed', error: toIsyncError(error, 'INTERNAL') };
    }
  }
}

const STOPPED: Result = { kind: 'stopped' };

interface Lane {
  waiting: Item[];
  /** Woken by each record that comes. */
  readonly news: Wakeup;
}

/** The first record that waits, with all others of its key; undefined where none waits. */
function takeGroup(lane: Lane): Item[] | undefined {
  const first = lane.waiting.shift();
  if (first === undefined) return undefined;
  const group = [first];
  join(lane, group);
  return group;
}

/** Moves what waits for the key of `group` to it. */
function join(lane: Lane, group: Item[]): void {
  if (!waitsIn(lane, group)) return;
  const isOurs = isOfKeyOf(group);
  group.push(...lane.waiting.filter(isOurs));
  lane.waiting = lane.waiting.filter((item) => !isOurs(item));
}

function waitsIn(lane: Lane, group: Item[]): boolean {
  return lane.waiting.some(isOfKeyOf(group));
}

function isOfKeyOf([first]: Item[]): (item: Item) => boolean {
  const { bucket, key } = first?.task.event ?? {};
  return ({ task: { event } }) => event.bucket === bucket && event.key === key;
}
