import { Backoff } from '../../flow/retry.ts';
import { TaskGroup } from '../../flow/task-group.ts';
import { Wakeup } from '../../flow/wake-up.ts';
import { type IsyncError, toIsyncError } from '../../model/isync-error.ts';
import type { Act, Action, Task } from '../action/action.ts';
import type { Outcome } from '../action/outcome.ts';
import { newestOf, repeatsOf } from './newest.ts';
import { type NoTurn, Turns } from './turns.ts';

/** How long after a created event that finds no object its key is looked at again, in ms: some stores tell before it is there. */
export const LOOK_AGAIN_MS = 5_000;
/** Waits between the tries of a record that fails for good, or is not given back, in ms. */
const RETRY = { giveUpAfterMs: undefined, firstDelayMs: 500, longestDelayMs: 30_000 };

/**
 * How long all records of a place may wait for one action that serves them, in ms. Where it takes longer, one waits for them: what
 * hangs must not have the room of others.
 */
const QUICK_MS = 500;

/** What came of a record. */
export type Result =
  | { readonly kind: 'done'; readonly outcome: Outcome }
  /** `error.retryable`: trouble that passes by itself; else it has failed as often as it may. */
  | { readonly kind: 'failed'; readonly error: IsyncError }
  /** Not looked at: one of its place that came before it has failed, or takes long, and is done with or comes again before it. */
  | { readonly kind: 'behind' }
  /** Not looked at: its bucket has long had all actions that it may have at a time, and others are to have room here. */
  | { readonly kind: 'slow' }
  /** Not looked at any more, because this process ends. */
  | { readonly kind: 'stopped' };

/** A record that waits for its turn. */
export interface Item<Target> {
  readonly task: Omit<Task<Target>, 'isLastLook' | 'leaveTurn'>;
  /** See {@link Route}. */
  readonly place: string;
  /** Failures for good after which it is given up. */
  readonly attempts: number;
  /** How long temporary trouble is waited out here, in ms from the first failure: its message can't be given back without harm. */
  readonly staysMs: number;
  /** A created event that finds no object is told so at once, as `missing`: its queue keeps it until the second look. */
  readonly looksAgainLater?: boolean;
  readonly isSecondLook?: boolean;
  /** Whether its queue keeps it in its turn where one before it has failed. Default: it is acted on all the same. */
  readonly keepsTurn?: boolean | undefined;
  readonly settle: (result: Result) => void;
}

export interface LanesOptions<Target> {
  readonly act: Act<Target>;
  readonly needs: Action['needs'];
  /** Looks under way at a time. */
  readonly concurrency: number;
  /** Whether no bucket may have all of them. Default: it may. */
  readonly areShared?: boolean | undefined;
  /** Told of each failure after which a record is tried again here. */
  readonly onRetry: (item: Item<Target>, error: IsyncError) => void;
  /** Told each time an action has left its turn: there is room for another one. */
  readonly onLeft?: (() => void) | undefined;
  /** Once it fires nothing more is begun. */
  readonly signal: AbortSignal;
  /** Ends looks under way. */
  readonly cut: AbortSignal;
  /** Default {@link LOOK_AGAIN_MS}. */
  readonly lookAgainMs?: number | undefined;
}

/**
 * Works on many places at once, and on one place by one at a time. Of several records of a key that wait, one action serves all
 * where it asks the bucket how the key is now; a record that comes while it is under way waits for the next one. Else each is
 * acted on in its turn, but for exact repeats.
 */
export class Lanes<Target> {
  readonly #options: LanesOptions<Target>;
  readonly #turns: Turns;
  readonly #lanes = new Map<string, Lane<Target>>();
  readonly #running = new TaskGroup();
  #resting = 0;
  /** When each record that waits trouble out failed first, on the clock of performance.now(). */
  readonly #failedAt = new WeakMap<Item<Target>, number>();

  constructor(options: LanesOptions<Target>) {
    this.#options = options;
    this.#turns = new Turns({ width: options.concurrency, areShared: options.areShared === true });
    options.signal.addEventListener('abort', () => this.#stopWaiting(), { once: true });
  }

  /** Takes a record; `item.settle` is called once. */
  add(item: Item<Target>): void {
    const { place } = item;
    const lane = this.#lanes.get(place);
    if (lane !== undefined) {
      lane.waiting.push(item);
      lane.news.wake();
      return;
    }
    const fresh = { waiting: [item], news: new Wakeup(), isQuick: true };
    this.#lanes.set(place, fresh);
    this.#running.add(this.#work(place, fresh));
  }

  /** Records whose action has left its turn, and is not done. */
  get resting(): number {
    return this.#resting;
  }

  /** How many records wait for their turn at a place. */
  waitingAt(place: string): number {
    return this.#lanes.get(place)?.waiting.length ?? 0;
  }

  /** Whether what is under way at a place, or waits for its turn, has not done so for long. */
  isQuickAt(place: string): boolean {
    return this.#lanes.get(place)?.isQuick !== false;
  }

  /** Resolves when all records have been settled. */
  idle(): Promise<void> {
    return this.#running.idle();
  }

  /** What has not begun is told so at once: others may have it while what has begun is finished. */
  #stopWaiting(): void {
    this.#turns.stop();
    for (const lane of this.#lanes.values()) for (const item of lane.waiting.splice(0)) item.settle(STOPPED);
  }

  async #work(place: string, lane: Lane<Target>): Promise<void> {
    for (let group = this.#takeGroup(lane); group !== undefined; group = this.#takeGroup(lane)) {
      const result = await this.#settledQuickly(lane, group);
      if (result === 'others first') lane.waiting.push(...group);
      else {
        for (const item of group) item.settle(result);
        if (result.kind === 'failed' || result.kind === 'slow') this.#putBehind(lane);
      }
    }
    this.#lanes.delete(place);
  }

  /** Settles the group, and has it leave the room to others where that takes long. */
  async #settledQuickly(lane: Lane<Target>, group: Item<Target>[]): Promise<Result | 'others first'> {
    if (this.#options.needs === 'each') return await this.#settled(lane, group);
    lane.isQuick = true;
    const timer = setTimeout(() => {
      lane.isQuick = false;
      leaveRoom(group);
      leaveRoom(lane.waiting);
    }, QUICK_MS);
    try {
      return await this.#settled(lane, group);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Where each record counts, what waits for its turn must not overtake one that has failed. */
  #putBehind(lane: Lane<Target>): void {
    if (this.#options.needs !== 'each') return;
    const waiting = lane.waiting.splice(0);
    for (const item of waiting)
      if (item.keepsTurn === true) item.settle(BEHIND);
      else lane.waiting.push(item);
  }

  /** Looks at a key until that has led to something. Records of the key that come meanwhile join `group`. */
  async #settled(lane: Lane<Target>, group: Item<Target>[]): Promise<Result | 'others first'> {
    const { needs, onRetry, signal, lookAgainMs = LOOK_AGAIN_MS } = this.#options;
    const backoff = new Backoff(RETRY);
    let failures = 0;
    let isLastLook = group.every(({ isSecondLook }) => isSecondLook === true);
    for (;;) {
      if (signal.aborted) return STOPPED;
      const looked = await this.#look(lane, group, isLastLook);
      if (looked.kind === 'done' && looked.outcome.outcome === 'missing') {
        if (group.every(({ looksAgainLater }) => looksAgainLater === true)) return looked;
        // A record that comes meanwhile deserves two looks of its own.
        isLastLook = !(await this.#comes(lane, group, lookAgainMs));
        continue;
      }
      if (looked.kind !== 'failed') return looked;
      const { error } = looked;
      if (!error.retryable) failures += 1;
      const isOver = error.retryable
        ? !this.#staysAny(group)
        : group.every(({ attempts }) => failures >= attempts);
      if (isOver) return looked;
      for (const item of group) onRetry(item, error);
      await backoff.wait({ signal }).catch(() => signal.aborted);
      // What one waits for may be that another key gives the path up. Where each counts, none overtakes another.
      if (needs !== 'each' && error.retryable && lane.waiting.length > 0) return 'others first';
    }
  }

  /** Whether the trouble is still to be waited out for one of `group`, give or take the wait between two tries. */
  #staysAny(group: readonly Item<Target>[]): boolean {
    const now = performance.now();
    for (const item of group) if (!this.#failedAt.has(item)) this.#failedAt.set(item, now);
    return group.some((item) => now - (this.#failedAt.get(item) ?? now) < item.staysMs);
  }

  /** Resolves to true as soon as another record waits that would lead to the same, or to false after `ms`. */
  async #comes(lane: Lane<Target>, group: Item<Target>[], ms: number): Promise<boolean> {
    const { signal } = this.#options;
    const end = performance.now() + ms;
    for (let left = ms; left > 0 && !signal.aborted; left = end - performance.now()) {
      if (this.#waitsIn(lane, group)) return true;
      await lane.news.sleep(left, signal);
    }
    return this.#waitsIn(lane, group);
  }

  async #look(lane: Lane<Target>, group: Item<Target>[], isLastLook: boolean): Promise<Result> {
    const bucket = group[0]?.task.event.bucket ?? '';
    const mayLeave = group.every(({ keepsTurn }) => keepsTurn === true);
    const result = await this.#turns.take(bucket, mayLeave, async (leave) => {
      if (this.#options.signal.aborted) return STOPPED;
      this.#join(lane, group);
      if (!lane.isQuick) leaveRoom(group);
      return await this.#act(group, isLastLook, leave);
    });
    return typeof result === 'string' ? NO_TURN[result] : result;
  }

  /** Never rejects. */
  async #act(group: readonly Item<Target>[], isLastLook: boolean, leave: () => void): Promise<Result> {
    const { act, cut, onLeft } = this.#options;
    let resting = 0;
    const leaveTurn = (): void => {
      if (resting > 0) return;
      resting = group.length;
      this.#resting += resting;
      leave();
      onLeft?.();
    };
    try {
      return { kind: 'done', outcome: await act({ ...newestOf(group), isLastLook, leaveTurn }, cut) };
    } catch (error) {
      return cut.aborted ? STOPPED : { kind: 'failed', error: toIsyncError(error, 'INTERNAL') };
    } finally {
      this.#resting -= resting;
    }
  }

  /** The first record that waits, with all others that it stands for; undefined where none waits. */
  #takeGroup(lane: Lane<Target>): Item<Target>[] | undefined {
    const first = lane.waiting.shift();
    if (first === undefined) return undefined;
    const group = [first];
    this.#join(lane, group);
    return group;
  }

  /** Moves to `group` what waits and would lead to the same. */
  #join(lane: Lane<Target>, group: Item<Target>[]): void {
    const same = new Set(this.#sameIn(lane, group));
    if (same.size === 0) return;
    group.push(...same);
    lane.waiting = lane.waiting.filter((item) => !same.has(item));
  }

  #waitsIn(lane: Lane<Target>, group: Item<Target>[]): boolean {
    return this.#sameIn(lane, group).length > 0;
  }

  #sameIn({ waiting }: Lane<Target>, group: Item<Target>[]): readonly Item<Target>[] {
    return this.#options.needs === 'each' ? repeatsOf(group, waiting) : waiting.filter(isOfKeyOf(group));
  }
}

const STOPPED: Result = { kind: 'stopped' };
const BEHIND: Result = { kind: 'behind' };
const NO_TURN: Readonly<Record<NoTurn, Result>> = { slow: { kind: 'slow' }, stopped: STOPPED };

interface Lane<Target> {
  waiting: Item<Target>[];
  /** Whether the last group was taken not long ago, where the newest is enough. What comes after that finds little room. */
  isQuick: boolean;
  /** Woken by each record that comes. */
  readonly news: Wakeup;
}

/** Of `items` one stays, and those that no queue keeps. */
function leaveRoom<Target>(items: Item<Target>[]): void {
  for (const item of items.splice(1))
    if (item.keepsTurn === true) item.settle(BEHIND);
    else items.push(item);
}

function isOfKeyOf<Target>([first]: Item<Target>[]): (item: Item<Target>) => boolean {
  const { bucket, key } = first?.task.event ?? {};
  return ({ task: { event } }) => event.bucket === bucket && event.key === key;
}
