import { join } from 'node:path';
import { Wakeup } from '../../flow/wake-up.ts';
import { IsyncError } from '../../model/isync-error.ts';
import type { Log } from '../../model/log.ts';
import type { Notice, Notices, Notifier } from './notice.ts';
import { MAX_QUEUED, type NoticeCounts, NoticeStore, type QueuedNotice } from './notice-store.ts';

/** Name in the folder of the job. */
const NOTICES_FILE = 'notices.db';
/** Tries of one notice. */
export const TRIES = 3;
/** From a failed try to the next, in ms: the outage that makes a backup fail keeps the notice back too, so not too soon. */
const WAITS_MS = [60_000, 900_000] as const;
const LONGEST_WAIT_MS = 900_000;
/** Of one try, in ms. A program may have to reach somebody, too. */
const TRY_MS = 30_000;
/** How long a process has a notice for itself, in ms: a try, with what ends it. */
const CLAIM_MS = 60_000;
/** Another process may have queued something: it is looked for this often, in ms. */
const LOOK_MS = 30_000;

export interface NoticeQueueOptions {
  /** Folder of the job. */
  readonly stateDir: string;
  readonly notifiers: readonly Notifier[];
  readonly log: Log;
  /** For tests. Default Date.now. */
  readonly now?: (() => number) | undefined;
  /** Of one try, in ms. Default {@link TRY_MS}. */
  readonly tryMs?: number | undefined;
}

/**
 * Opens the queue of a job. Where its file can't be had, that is a warning, and notices are kept in memory: a run needs none of it.
 */
export async function openNoticeQueue(options: NoticeQueueOptions): Promise<NoticeQueue> {
  const { stateDir, notifiers, log } = options;
  let store: NoticeStore;
  try {
    store = await NoticeStore.open(join(stateDir, NOTICES_FILE));
  } catch (err) {
    log.warn('notices are kept in memory only', { err });
    store = await NoticeStore.open(':memory:');
  }
  const queue = new NoticeQueue(store, options);
  queue.forgetOthers(notifiers.map(({ rule }) => rule.name));
  return queue;
}

/** Notices on their way. Each rule has a line of its own, so one that nobody answers delays no other. */
export class NoticeQueue implements Notices, Disposable {
  readonly #store: NoticeStore;
  readonly #notifiers: readonly Notifier[];
  readonly #log: Log;
  readonly #now: () => number;
  readonly #tryMs: number;
  readonly #wakeups: readonly Wakeup[];

  constructor(
    store: NoticeStore,
    { notifiers, log, now = Date.now, tryMs = TRY_MS }: Omit<NoticeQueueOptions, 'stateDir'>,
  ) {
    this.#store = store;
    this.#notifiers = notifiers;
    this.#log = log;
    this.#now = now;
    this.#tryMs = Math.min(tryMs, TRY_MS);
    this.#wakeups = notifiers.map(() => new Wakeup());
  }

  tell(notice: Notice): void {
    for (const [at, { rule }] of this.#notifiers.entries()) {
      if (!rule.on.has(notice.occasion)) continue;
      this.#try('a notice could not be queued', () => {
        const added = this.#store.add(rule.name, notice, samenessFor(rule.way.type, notice), this.#now());
        if (added === 'same') return this.#log.debug('the same was told not long ago', { rule: rule.name });
        if (added.dropped > 0)
          this.#log.warn(`more than ${MAX_QUEUED} notices wait: the oldest are dropped`, added);
        this.#wakeups[at]?.wake();
      });
    }
  }

  /** Sends what is due, and what will be, until the signal fires. Never rejects. */
  async deliver(signal: AbortSignal): Promise<void> {
    await Promise.all(
      this.#notifiers.map(async (notifier, at) => {
        while (!signal.aborted) {
          await this.#sendDue(notifier, signal);
          const nextMs = this.#try('notices can not be read', () => this.#store.nextMs(notifier.rule.name));
          const wait =
            nextMs === undefined ? LOOK_MS : Math.min(Math.max(nextMs - this.#now(), 1000), LOOK_MS);
          await this.#wakeups[at]?.sleep(wait, signal);
        }
      }),
    );
  }

  /** Tries once, for `withinMs` at most, what is due now. The rest stays for the next process. Never rejects. */
  async flush(withinMs: number): Promise<void> {
    const signal = AbortSignal.timeout(withinMs);
    await Promise.all(this.#notifiers.map(async (notifier) => await this.#sendDue(notifier, signal)));
  }

  /** Of each rule, by its name. Empty where they can't be read. */
  counts(): ReadonlyMap<string, NoticeCounts> {
    const names = this.#notifiers.map(({ rule }) => rule.name);
    return new Map(
      this.#try('notices can not be counted', () =>
        names.map((name) => [name, this.#store.counts(name)] as const),
      ) ?? [],
    );
  }

  /** Since when something has been so, in ms since the epoch; undefined where it is not, or nobody knows. */
  since(name: string): number | undefined {
    return this.#try('a condition can not be read', () => this.#store.since(name));
  }

  /** Sets (an earlier time stays) or ends it. Returns whether that changed anything. */
  set(name: string, sinceMs: number | undefined): boolean {
    return this.#try('a condition can not be kept', () => this.#store.set(name, sinceMs)) ?? false;
  }

  /** Drops what waits for rules that are not in the config any more. */
  forgetOthers(rules: readonly string[]): void {
    const gone = this.#try('notices can not be read', () => this.#store.keepRules(rules)) ?? 0;
    if (gone > 0)
      this.#log.warn('notices for rules that the config has no more are dropped', { notices: gone });
  }

  /** Once nothing is being sent. */
  [Symbol.dispose](): void {
    this.#store[Symbol.dispose]();
  }

  async #sendDue(notifier: Notifier, signal: AbortSignal): Promise<void> {
    const { name } = notifier.rule;
    while (!signal.aborted) {
      const queued = this.#try('notices can not be read', () =>
        this.#store.take(name, this.#now(), { claimMs: CLAIM_MS, longestMs: LONGEST_WAIT_MS }),
      );
      if (queued === undefined) return;
      await this.#send(notifier, queued, signal);
    }
  }

  async #send(notifier: Notifier, queued: QueuedNotice, signal: AbortSignal): Promise<void> {
    const { rule } = notifier;
    const { number, notice, tries } = queued;
    const failed = await failureOf(notifier, notice, signal, this.#tryMs);
    this.#try('what became of a notice could not be kept', () => {
      if (failed === undefined) return this.#store.sent(rule.name, number);
      if (failed === 'stopped') return this.#store.giveBack(number);
      const fields = { rule: rule.name, occasion: notice.occasion, tries, err: failed };
      if (tries < TRIES) {
        this.#log.warn('a notice was not taken; it is tried again', fields);
        return this.#store.again(number, this.#now() + (WAITS_MS[tries - 1] ?? LONGEST_WAIT_MS));
      }
      this.#log.error('a notice was not taken, and is given up', fields);
      return this.#store.lost(rule.name, number, notice.sameness);
    });
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
