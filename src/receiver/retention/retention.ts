import { setTimeout as sleep } from 'node:timers/promises';
import { toIsyncError } from '../../model/isync-error.ts';
import type { Log } from '../../model/log.ts';
import type { RelPath } from '../../model/rel-path.ts';
import type { FinishOptions, SealedDirectory, StoreRetirements } from '../../store/store-retirements.ts';
import type { DirectoryUses } from './directory-uses.ts';

/** How often it is looked whether something is due, in ms. */
const LOOK_MS = 10 * 60 * 1000;
/** How often the log repeats that one directory is due and stays, in ms. */
const TOLD_EVERY_MS = 24 * 3600 * 1000;
/** Lines of directories that stay, a look; of more the count is told. */
const MAX_TOLD = 20;

export interface RetentionRule {
  /** A directory goes once its seal is this old, in ms. Infinity: none goes, and only what was begun is brought to its end. */
  readonly retainMs: number;
  /** So many of a device's sealed directories stay in any case, those that were sealed last. */
  readonly retainLast: number;
}

export interface RetentionOptions {
  readonly retirements: StoreRetirements;
  readonly uses: DirectoryUses;
  /** Keeps other processes out while this one looks; undefined where another one has it. */
  readonly lock: () => Promise<Disposable | undefined>;
  /** What holds for the directories of a device now. */
  readonly ruleOf: (device: string) => RetentionRule;
  readonly onRetired?: ((directory: RelPath, files: number, bytes: number) => void) | undefined;
  readonly log: Log;
  /** ms since 1970. */
  readonly now?: (() => number) | undefined;
  /** ms of a clock that nobody sets. */
  readonly up?: (() => number) | undefined;
}

/** One look at a directory that is due. */
interface Retiring {
  readonly device: string;
  /** By which it is due. */
  readonly rule: RetentionRule;
  readonly stays: Map<string, string>;
  readonly postponed: Map<RelPath, number>;
  readonly signal: AbortSignal;
}

/** Retires the sealed directories of a store by age. What goes wrong is logged, and tried again at the next look. */
export class Retention {
  readonly #options: RetentionOptions;
  readonly #clock: () => number;
  readonly #up: () => number;
  /** What the wall clock was ahead of the other one at the start, in ms. */
  readonly #aheadMs: number;
  /** Directories that have changed later than their seals, and when each was changed last, in ms; those of the last look. */
  #postponed = new Map<RelPath, number>();
  #woken = new AbortController();
  /** What was told of directories that stay, and when. */
  #told = new Map<string, { readonly why: string; readonly atMs: number }>();

  constructor(options: RetentionOptions) {
    this.#options = options;
    this.#clock = options.now ?? Date.now;
    this.#up = options.up ?? (() => performance.now());
    this.#aheadMs = this.#clock() - this.#up();
  }

  /**
   * Never later than by a clock that was right at the start: one that is set ahead makes nothing older. So a sleep of the machine does not count
   * before the next start.
   */
  #now(): number {
    return Math.min(this.#clock(), this.#up() + this.#aheadMs);
  }

  /** Looks every ten minutes, first at once, until the signal fires. Never rejects. */
  async keepOn(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      this.#woken = new AbortController();
      const either = AbortSignal.any([signal, this.#woken.signal]);
      await this.look(signal);
      await sleep(LOOK_MS, undefined, { signal: either, ref: false }).catch(() => undefined);
    }
  }

  /** Has `keepOn` look at once: the rule of a device may be another one. */
  lookSoon(): void {
    this.#woken.abort();
  }

  /** Retires what is due now. Never rejects. */
  async look(signal: AbortSignal): Promise<void> {
    const stays = new Map<string, string>();
    const postponed = new Map<RelPath, number>();
    const { retirements, lock, log } = this.#options;
    let retired = 0;
    try {
      if (!this.#mayDo()) return;
      using held = await lock();
      if (held === undefined) return log.debug('another process retires directories of this store');
      await this.#putBack();
      await retirements.finish(this.#telling('directory retired: the rest of it is gone', signal));
      for (const device of retirements.devices()) {
        const rule = this.#options.ruleOf(device);
        if (rule.retainMs === Infinity) continue;
        for (const directory of await this.#dueOf(device, rule, signal))
          if (await this.#retire(directory, { device, rule, stays, postponed, signal })) retired++;
        await retirements.forget(device);
      }
    } catch (thrown) {
      if (!signal.aborted) this.#failed('retention could not look at the store', thrown);
    }
    this.#postponed = postponed;
    this.#tell(stays);
    log[retired > 0 ? 'info' : 'debug']('retention has looked', { retired, stay: stays.size });
  }

  /** Whether there can be anything to do: where all is kept, and always was, no lock is taken. */
  #mayDo(): boolean {
    const { retirements, ruleOf } = this.#options;
    return (
      retirements.hasLeft() || retirements.devices().some((device) => ruleOf(device).retainMs !== Infinity)
    );
  }

  /** To be called before anybody uses the store: gives their names back to directories at which an earlier process was interrupted. */
  async putBack(): Promise<void> {
    if (!this.#options.retirements.hasLeft()) return;
    using held = await this.#options.lock();
    if (held !== undefined) await this.#putBack();
  }

  async #putBack(): Promise<void> {
    await this.#options.retirements.putBack(this.#telling('put back: it was interrupted as it was retired'));
  }

  #telling(message: string, signal?: AbortSignal): FinishOptions {
    return {
      signal,
      onDone: (path) => this.#options.log.info(message, { path }),
      onStuck: (path, error) =>
        this.#failed('a directory that was to be retired is stuck in the folder of the store', error, path),
    };
  }

  /** The oldest first, without those that stay as the last ones. */
  async #dueOf(
    device: string,
    { retainMs, retainLast }: RetentionRule,
    signal: AbortSignal,
  ): Promise<SealedDirectory[]> {
    const { retirements } = this.#options;
    const sealed: SealedDirectory[] = [];
    for await (const directory of retirements.sealedOf(device, { signal })) sealed.push(directory);
    const nowMs = this.#now();
    return sealed
      .toSorted((a, b) => b.sealedMs - a.sealedMs)
      .slice(retainLast)
      .filter(({ sealedMs }) => nowMs - sealedMs >= retainMs)
      .toReversed();
  }

  /** Returns whether it has gone. */
  async #retire(
    directory: SealedDirectory,
    { device, rule, stays, postponed, signal }: Retiring,
  ): Promise<boolean> {
    const { retirements, uses, ruleOf, onRetired, log } = this.#options;
    const { retainMs } = rule;
    const { path, sealedMs } = directory;
    const changedMs = this.#postponed.get(path);
    if (changedMs !== undefined && changedMs + retainMs > this.#now()) {
      postponed.set(path, changedMs);
      return false;
    }
    const objection = (): string | undefined => {
      const now = ruleOf(device);
      // A look may take hours.
      if (now.retainMs > retainMs || now.retainLast > rule.retainLast) return 'it is to stay longer now';
      return uses.isUsed(path) ? 'it is in use' : undefined;
    };
    const why = objection();
    if (why !== undefined) {
      stays.set(path, why);
      return false;
    }
    try {
      const gone = await retirements.retire(directory, {
        notAfterMs: this.#now() - retainMs,
        objection,
        signal,
      });
      if (gone.outcome === 'younger') postponed.set(path, gone.lastChangeMs);
      if (gone.outcome === 'stays') stays.set(path, gone.why);
      if (gone.outcome !== 'retired') return false;
      const { files, bytes } = gone;
      log.info('directory retired', { path, files, bytes, sealed: new Date(sealedMs).toISOString() });
      onRetired?.(path, files, bytes);
      return true;
    } catch (thrown) {
      if (signal.aborted) throw thrown;
      const { code, message } = toIsyncError(thrown, 'STORE_FAILED');
      stays.set(path, `${message} [${code}]`);
      return false;
    }
  }

  /** Each with its reason, once a day; many at once are only counted. */
  #tell(stays: ReadonlyMap<string, string>): void {
    const nowMs = this.#now();
    const told = new Map<string, { readonly why: string; readonly atMs: number }>();
    let lines = 0;
    let left = 0;
    for (const [path, why] of stays) {
      const before = this.#told.get(path);
      if (before?.why === why && nowMs - before.atMs < TOLD_EVERY_MS) {
        told.set(path, before);
        continue;
      }
      if (lines >= MAX_TOLD) {
        left++;
        continue;
      }
      lines++;
      told.set(path, { why, atMs: nowMs });
      this.#options.log.warn('due, and stays', { path, reason: why });
    }
    if (left > 0) this.#options.log.warn('more directories are due, and stay', { directories: left });
    this.#told = told;
  }

  #failed(message: string, thrown: unknown, path?: string): void {
    const { code, message: reason, hint } = toIsyncError(thrown, 'STORE_FAILED');
    this.#options.log.error(message, { code, reason, ...(path !== undefined && { path }), hint });
  }
}
