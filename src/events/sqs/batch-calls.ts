import { Backoff } from '../../flow/retry.ts';
import { IsyncError } from '../../model/isync-error.ts';
import { isRefusal } from '../../s3/errors.ts';
import type { LinkLog } from './link-log.ts';

/** Calls under way at a time: with ten entries each, 2,000 messages a second over a link of 20 ms. */
export const CALLS = 4;
/** Tries of an entry that the queue fails while it does others, some 0.1 to 1 s apart. */
const ENTRY_TRIES = 6;
/** Longest wait after a failed call, in ms: what is in hand has its time to be extended in. */
const LONGEST_WAIT_MS = 5000;

/** Why the queue did not do one entry of a batch call. */
export interface EntryFailure {
  /** Of SQS, without prefix. */
  readonly code: string;
  readonly message: string;
}

export interface BatchOptions<Item, Entry> {
  /** Entries of one call, at most. */
  readonly perCall: number;
  /** Shortest time between the beginnings of two calls that are not full, in ms: the queue charges for calls. Default 0. */
  readonly gatherMs?: number;
  /** What to send for an item, asked when its call begins; undefined where nothing is to be sent any more. */
  readonly entryFor: (item: Item) => Entry | undefined;
  /** Makes one call: what failed of each entry, in their order. */
  readonly call: (entries: readonly Entry[]) => Promise<readonly (EntryFailure | undefined)[]>;
  /** Codes after which another try of an entry would not help. */
  readonly finalCodes: ReadonlySet<string>;
  /** Told what became of an entry, in the order of the calls for an item. Must not throw. */
  readonly settled: (item: Item, entry: Entry, failure: EntryFailure | undefined) => void;
  /** Told of calls that succeed, fail for now, or are refused for good. */
  readonly link: LinkLog;
  /** Longest wait after a failed call, in ms, where that is shorter than usual. */
  readonly longestWaitMs?: number;
  /** Ends all: what is not done by then never will be, and is not told of. */
  readonly signal: AbortSignal;
}

/**
 * Gathers entries into batch calls: the first goes at once and alone, and whatever gathered while it was under way, and within
 * `gatherMs`, goes with the next. Further calls run beside it once they would be full. An item is in one call at a time; one
 * that is added again meanwhile goes into a later call.
 */
export class BatchCalls<Item extends object, Entry> {
  readonly #options: BatchOptions<Item, Entry>;
  /** In order of their coming. */
  readonly #waiting = new Set<Item>();
  readonly #underWay = new Set<Item>();
  /** Added while they were under way. */
  readonly #again = new Set<Item>();
  /** Tries of those whose last one failed. */
  readonly #tries = new Map<Item, number>();
  readonly #backoff: Backoff;
  #lanes = 0;
  /** Of the lanes: those that take their first batch later in this turn. */
  #starting = 0;
  /** From when on a call may begin that is not full, on the clock of performance.now(). */
  #gatheredMs = 0;
  #isTimed = false;

  constructor(options: BatchOptions<Item, Entry>) {
    this.#options = options;
    const longest = Math.min(LONGEST_WAIT_MS, options.longestWaitMs ?? LONGEST_WAIT_MS);
    this.#backoff = new Backoff({ giveUpAfterMs: undefined, longestDelayMs: longest });
  }

  add(item: Item): void {
    if (this.#underWay.has(item)) this.#again.add(item);
    else this.#waiting.add(item);
    this.#start();
  }

  /** Whether something was sent for the item that the queue may or may not have done. */
  isUnclear(item: Item): boolean {
    return this.#underWay.has(item) || this.#tries.has(item);
  }

  #start(): void {
    while (this.#lanes === 0 ? this.#isWorthOne() : this.#isWorthAnother()) {
      this.#lanes++;
      this.#starting++;
      void this.#runLane();
    }
    if (this.#lanes > 0 || this.#waiting.size === 0 || this.#isTimed) return;
    this.#isTimed = true;
    setTimeout(() => {
      this.#isTimed = false;
      this.#start();
    }, this.#gatheredMs - performance.now());
  }

  /** Whether a call is to begin now; else what waits is too little, and more may come soon. */
  #isWorthOne(): boolean {
    if (this.#waiting.size === 0) return false;
    if (this.#waiting.size >= this.#options.perCall || this.#backoff.failures > 0) return true;
    return performance.now() >= this.#gatheredMs;
  }

  #isWorthAnother(): boolean {
    // While calls fail, one is enough to see when they succeed again.
    if (this.#lanes === CALLS || this.#backoff.failures > 0) return false;
    return this.#waiting.size >= this.#options.perCall * (this.#starting + 1);
  }

  async #runLane(): Promise<void> {
    const { signal } = this.#options;
    // What is added in this turn goes along.
    await Promise.resolve();
    this.#starting--;
    try {
      while (!signal.aborted && this.#isWorthOne()) {
        const batch = this.#take();
        if (batch.size === 0) continue;
        const isDone = await this.#call(batch);
        if (isDone) this.#backoff.succeeded();
        else await this.#backoff.wait({ signal });
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      this.#lanes--;
      if (!signal.aborted) this.#start();
    }
  }

  #take(): Map<Item, Entry> {
    const batch = new Map<Item, Entry>();
    for (const item of this.#waiting) {
      if (batch.size >= this.#options.perCall) break;
      this.#waiting.delete(item);
      const entry = this.#options.entryFor(item);
      if (entry === undefined) {
        this.#tries.delete(item);
        continue;
      }
      batch.set(item, entry);
      this.#underWay.add(item);
    }
    const { perCall, gatherMs = 0 } = this.#options;
    if (batch.size > 0 && batch.size < perCall) this.#gatheredMs = performance.now() + gatherMs;
    return batch;
  }

  /** Resolves to whether nothing of it has to be tried again. */
  async #call(batch: ReadonlyMap<Item, Entry>): Promise<boolean> {
    const { call, link, signal } = this.#options;
    try {
      const failures = await call([...batch.values()]);
      link.reached();
      return [...batch]
        .map(([item, entry], index) => this.#judge(item, entry, failures[index]))
        .every((isDone) => isDone);
    } catch (error) {
      if (signal.aborted) return false;
      if (!(error instanceof IsyncError)) throw error;
      const failure = { code: error.code, message: error.message };
      if (!error.retryable) {
        link.refused(error);
        for (const [item, entry] of batch) this.#settle(item, entry, failure);
        return true;
      }
      link.failed(error);
      // The link is waited for as long as it takes; a request that the queue can't understand is not.
      const isOdd = error.code === 'STORE_FAILED' && isRefusal(error);
      for (const [item, entry] of batch)
        if (isOdd) this.#judge(item, entry, failure);
        else this.#retry(item, this.#tries.get(item) ?? 0);
      return false;
    }
  }

  #judge(item: Item, entry: Entry, failure: EntryFailure | undefined): boolean {
    const tries = (this.#tries.get(item) ?? 0) + 1;
    if (failure === undefined || this.#options.finalCodes.has(failure.code) || tries >= ENTRY_TRIES) {
      this.#settle(item, entry, failure);
      return true;
    }
    this.#retry(item, tries);
    return false;
  }

  #settle(item: Item, entry: Entry, failure: EntryFailure | undefined): void {
    this.#underWay.delete(item);
    this.#tries.delete(item);
    this.#options.settled(item, entry, failure);
    if (this.#again.delete(item)) this.#waiting.add(item);
  }

  #retry(item: Item, tries: number): void {
    this.#underWay.delete(item);
    this.#again.delete(item);
    this.#tries.set(item, tries);
    this.#waiting.add(item);
  }
}
