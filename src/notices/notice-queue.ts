import { join } from 'node:path';
import { Wakeup } from '../flow/wake-up.ts';
import { IsyncError } from '../model/isync-error.ts';
import type { Log } from '../model/log.ts';
import type { Notice, Notices, Notifier } from './notice.ts';
import { MAX_QUEUED, type NoticeCounts, NoticeStore, type QueuedNotice } from './notice-store.ts';

/** Name in the folder. */
const NOTICES_FILE = 'notices.db';
/** Tries of one notice, unless its rule says otherwise. */
export const TRIES = 3;
/** From a failed try to the next, in ms: the outage that makes a backup fail keeps the notice back too, so not too soon. */
const WAITS_MS = [60_000, 900_000] as const;
const LONGEST_WAIT_MS = 900_000;
/** Of one try, in ms. A program may have to reach somebody, too. */
const TRY_MS = 30_000;
/** How long a process has a notice for itself, in ms: a try, with what ends it. */
const CLAIM_MS = 60_000;
/** Soonest that it is looked again, in ms: what is due may be in the hands of another process. */
const SOONEST_MS = 1000;
/** Another process may have queued something: it is looked for this often, in ms. */
const LOOK_MS = 30_000;

export interface NoticeQueueOptions {
  /** Folder for the file of the queue; the one above it is there. */
  readonly stateDir: string;
  readonly notifiers: readonly Notifier[];
  readonly log: Log;
  /** For tests. Default Date.now. */
  readonly now?: (() => number) | undefined;
  /** Of one try, in ms. Default {@link TRY_MS}. */
  readonly tryMs?: number | undefined;
  /** From each failed try to the next, in ms; behind the last of them LONGEST_WAIT_MS. Default {@link WAITS_MS}. */
  readonly waitsMs?: readonly number[] | undefined;
  /** Notices that wait; beyond, the oldest go. Default {@link MAX_QUEUED}. */
  readonly maxQueued?: number | undefined;
}

/**
 * Opens a queue. Where its file can't be had, that is a warning, and notices are kept in memory: nobody's work needs any of it.
 */
export async function openNoticeQueue(options: NoticeQueueOptions): Promise<NoticeQueue> {
  const { stateDir, notifiers, log, maxQueued } = options;
  const stores: NoticeStore[] = [];
  try {
    stores.push(await NoticeStore.open(join(stateDir, NOTICES_FILE), maxQueued));
  } catch (err) {
    log.warn('notices are kept in memory only', { err });
  }
  stores.push(await NoticeStore.open(':memory:', maxQueued));
  const queue = new NoticeQueue(stores, options);
  queue.forgetOthers(notifiers.map(({ rule }) => rule.name));
  return queue;
}

/**
 * Notices on their way. Each rule has a line of its own, so one that nobody answers delays no other. What the disk does not take is
 * kept in memory: that it is full is what most needs to be told.
 */
export class NoticeQueue implements Notices, Disposable {
  /** On the disk, where that can be had, and in memory. */
  readonly #stores: readonly NoticeStore[];
  readonly #notifiers: readonly Notifier[];
  readonly #log: Log;
  readonly #now: () => number;
  readonly #tryMs: number;
  readonly #waitsMs: readonly number[];
  readonly #maxQueued: number;
  readonly #wakeups: readonly Wakeup[];

  constructor(
    stores: readonly NoticeStore[],
    {
      notifiers,
      log,
      now = Date.now,
      tryMs = TRY_MS,
      waitsMs = WAITS_MS,
      maxQueued = MAX_QUEUED,
    }: Omit<NoticeQueueOptions, 'stateDir'>,
  ) {
    this.#stores = stores;
    this.#notifiers = notifiers;
    this.#log = log;
    this.#now = now;
    this.#tryMs = Math.min(tryMs, TRY_MS);
    this.#waitsMs = waitsMs;
    this.#maxQueued = maxQueued;
    this.#wakeups = notifiers.map(() => new Wakeup());
  }

  tell(notice: Notice): void {
    for (const [at, { rule }] of this.#notifiers.entries()) {
      if (!rule.on.has(notice.occasion)) continue;
      const sameness = samenessFor(rule.way.type, notice);
      const added = this.#first('a notice could not be queued', (store) =>
        store.add(rule.name, notice, sameness, this.#now()),
      );
      if (added === 'same') this.#log.debug('the same was told not long ago', { rule: rule.name });
      else if (added !== undefined && added.dropped > 0)
        this.#log.warn(`more than ${this.#maxQueued} notices wait: the oldest are dropped`, added);
      this.#wakeups[at]?.wake();
    }
  }

  /**
   * Sends what is due, and what will be, until the signal fires. Never rejects.
   * @param cut ends what is being sent then: whoever was just told would be told again
   */
  async deliver(signal: AbortSignal, cut = signal): Promise<void> {
    await Promise.all(
      this.#notifiers.map(async (notifier, at) => {
        while (!signal.aborted) {
          const isStuck = !(await this.#sendDue(notifier, signal, cut));
          const wait = isStuck ? LOOK_MS : this.#nextLookMs(notifier);
          await this.#wakeups[at]?.sleep(wait, signal);
        }
      }),
    );
  }

  /** Tries once, for `withinMs` at most, what is due now. The rest stays for the next process. Never rejects. */
  async flush(withinMs: number): Promise<void> {
    const signal = AbortSignal.timeout(withinMs);
    await Promise.all(this.#notifiers.map(async (notifier) => await this.#sendDue(notifier, signal, signal)));
  }

  /** Of each rule, by its name. Empty where they can't be read. */
  counts(): ReadonlyMap<string, NoticeCounts> {
    return new Map(
      this.#notifiers.map(({ rule: { name } }) => {
        const counts = this.#each('notices can not be counted', (store) => store.counts(name));
        const sum = (of: keyof NoticeCounts): number => counts.reduce((all, one) => all + one[of], 0);
        return [name, { waiting: sum('waiting'), sent: sum('sent'), lost: sum('lost') }];
      }),
    );
  }

  /** Since when something has been so, in ms since the epoch; undefined where it is not, or nobody knows. */
  since(name: string): number | undefined {
    const found = this.#each('a condition can not be read', (store) => store.since(name));
    return found.find((ms) => ms !== undefined);
  }

  /** Sets (an earlier time stays) or ends it. Returns whether that changed anything. */
  set(name: string, sinceMs: number | undefined): boolean {
    const what = 'a condition can not be kept';
    if (sinceMs !== undefined) {
      if (this.since(name) !== undefined) return false;
      return this.#first(what, (store) => store.set(name, sinceMs)) ?? false;
    }
    return this.#each(what, (store) => store.set(name, undefined)).includes(true);
  }

  /** Everything that is so, of the names that begin with `prefix`. */
  conditions(prefix: string): string[] {
    return this.#each('conditions can not be read', (store) => store.conditions(prefix)).flat();
  }

  /** Drops what waits for rules that are not in the config any more. */
  forgetOthers(rules: readonly string[]): void {
    const gone = this.#each('notices can not be read', (store) => store.keepRules(rules));
    const notices = gone.reduce((all, one) => all + one, 0);
    if (notices > 0) this.#log.warn('notices for rules that the config has no more are dropped', { notices });
  }

  /** Once nothing is being sent. */
  [Symbol.dispose](): void {
    for (const store of this.#stores) store[Symbol.dispose]();
  }

  /** From now to the next look at what waits for a rule, in ms. */
  #nextLookMs({ rule }: Notifier): number {
    const due = this.#each('notices can not be read', (store) => store.nextMs(rule.name));
    const nextMs = Math.min(...due.filter((ms) => ms !== undefined));
    return Math.min(Math.max(nextMs - this.#now(), SOONEST_MS), LOOK_MS);
  }

  /** Whether all could be looked at. */
  async #sendDue(notifier: Notifier, signal: AbortSignal, cut: AbortSignal): Promise<boolean> {
    const { name } = notifier.rule;
    const long = { claimMs: CLAIM_MS, longestMs: LONGEST_WAIT_MS };
    let isWhole = true;
    for (const store of this.#stores) {
      while (!signal.aborted) {
        const taken = this.#try('notices can not be read', () => ({
          queued: store.take(name, this.#now(), long),
        }));
        isWhole &&= taken !== undefined;
        if (taken?.queued === undefined) break;
        await this.#send(notifier, store, taken.queued, cut);
      }
    }
    return isWhole;
  }

  async #send(
    notifier: Notifier,
    store: NoticeStore,
    queued: QueuedNotice,
    signal: AbortSignal,
  ): Promise<void> {
    const { rule } = notifier;
    const { number, notice, tries } = queued;
    const failed = await failureOf(notifier, notice, signal, this.#tryMs);
    this.#try('what became of a notice could not be kept', () => {
      if (failed === undefined) return store.sent(rule.name, number);
      if (failed === 'stopped') return store.giveBack(number);
      const fields = { rule: rule.name, occasion: notice.occasion, tries, err: failed };
      if (tries < (rule.tries ?? TRIES)) {
        this.#log.warn('a notice was not taken; it is tried again', fields);
        return store.again(number, this.#now() + (this.#waitsMs[tries - 1] ?? LONGEST_WAIT_MS));
      }
      this.#log.error('a notice was not taken, and is given up', fields);
      return store.lost(rule.name, number, notice.sameness);
    });
  }

  /** What the first store that can do it makes of it. */
  #first<T>(what: string, run: (store: NoticeStore) => T): T | undefined {
    for (const store of this.#stores) {
      const done = this.#try(what, () => ({ result: run(store) }));
      if (done !== undefined) return done.result;
    }
    return undefined;
  }

  /** What all stores that can do it make of it. */
  #each<T>(what: string, run: (store: NoticeStore) => T): T[] {
    return this.#stores
      .map((store) => this.#try(what, () => ({ result: run(store) })))
      .filter((done) => done !== undefined)
      .map(({ result }) => result);
  }

  #try<T>(what: string, run: () => T): T | undefined {
    try {
      return run();
    } catch (err) {
      this.#log.warn(what, { err });
      return undefined;
    }
  }
}

/** A monitor is told of every run, for it tells people itself. */
function samenessFor(type: Notifier['rule']['way']['type'], { sameness }: Notice): string | undefined {
  return type === 'ping' ? undefined : sameness;
}

/** Undefined: it was taken. `stopped`: we end, and whether it was taken is not known. */
async function failureOf(
  { send }: Pick<Notifier, 'send'>,
  notice: Notice,
  signal: AbortSignal,
  tryMs: number,
): Promise<Error | 'stopped' | undefined> {
  const ending = new AbortController();
  const end = (): void => ending.abort();
  const timer = setTimeout(end, tryMs);
  signal.addEventListener('abort', end, { once: true });
  try {
    await send(notice, ending.signal);
    return undefined;
  } catch (error) {
    if (signal.aborted) return 'stopped';
    if (ending.signal.aborted)
      return new IsyncError('NOTICE_FAILED', `it was not taken within ${tryMs / 1000} s`);
    return error instanceof Error ? error : new Error(String(error));
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', end);
  }
}
