import type { Stats } from 'node:fs';
import { errnoOf, toIsyncError } from '../../model/isync-error.ts';
import { problemOf } from '../../model/problem.ts';
import type { RelPath } from '../../model/rel-path.ts';
import { isSealed, type DirectoryState } from '../../scanner/data-directory.ts';
import { inspectDataDirectory } from '../../scanner/list-data-directories.ts';
import { hasParseMarker } from '../../scanner/markers.ts';
import { inodesOpenForWriting } from '../../scanner/open-writers.ts';
import { listDirectory } from '../../scanner/list-directory.ts';
import type { WatchEvent } from '../../watcher/watch-event.ts';
import { watchDirectory, type DirectoryWatch } from '../../watcher/watch-directory.ts';
import { holdsJust, runRound, type RoundResult } from './directory-round.ts';
import { LiveQueue } from './live-queue.ts';
import { MarkInquiry } from './mark-inquiry.ts';
import type { ScanContext } from './scan-context.ts';
import { Quiet, type QuietLeft } from './quiet.ts';
import { sealDirectory, statsOf } from './seal-directory.ts';
import { Submissions } from './submissions.ts';
import { outcomeOf } from './transfer.ts';
import { Wakeup } from '../../flow/wake-up.ts';

/** A directory that has a problem is listed again this often, in ms: someone may have mended it. */
const PROBLEM_RECHECK_MS = 30_000;
/** One whose markers change under our hands is looked at again after this long, in ms. */
const CHANGED_RECHECK_MS = 1_000;

/** One that nobody watches is listed again after this long, in ms, where there are few of them. */
const UNWATCHED_RECHECK_MS = 10_000;
/** The same for each of them: 40 listings a second are made in all. */
const UNWATCHED_TURN_MS = 25;
/** Whether a file that is in progress or open still is so is looked at this often, in ms. */
const BUSY_RECHECK_MS = 10_000;
/** First wait, in ms, where files are listed and none of them can be sent; doubled each time. */
const FIRST_VAIN_WAIT_MS = 100;
const LONGEST_VAIN_WAIT_MS = 30_000;
/** `--once` gives up after so many listings of that kind. */
const MAX_VAIN_ROUNDS = 10;
const NO_INODES: ReadonlySet<number> = new Set();

/** What to do after an attempt: end, try at once, or wait (ms) unless something happens before. */
type Next = 'done' | 'again' | { readonly waitMs: number };

export interface DirectoryRunOptions {
  readonly name: RelPath;
  readonly state: DirectoryState;
  /** Older directories have lower ones. */
  readonly rank: number;
  /** Whether it may have a watch while it is open; else it is listed now and then. */
  readonly watched: boolean;
}

/** Follows one data directory, from whatever state it is in to its seal. */
export class DirectoryRun {
  readonly name: RelPath;
  readonly #rank: number;
  readonly #context: ScanContext;
  readonly #submissions: Submissions;
  readonly #live: LiveQueue;
  readonly #inquiry: MarkInquiry;
  readonly #wakeup = new Wakeup();
  #state: DirectoryState;
  #watch: DirectoryWatch | undefined;
  /** The watched folder is not there any more; another may stand under its name. */
  #watchOver = false;
  #isGone = false;
  #rounds = 0;
  #isWatched: boolean;
  readonly #quiet: Quiet;
  #marksBefore = 0;
  #vainRounds = 0;
  #left = '';

  constructor(context: ScanContext, { name, state, rank, watched }: DirectoryRunOptions) {
    this.#context = context;
    this.name = name;
    this.#rank = rank;
    this.#state = state;
    this.#isWatched = watched;
    this.#quiet = new Quiet(context.options.quietMs);
    this.#submissions = new Submissions(context, name, {
      marked: (file, identity) => this.#watch?.handled(file.entry.path, identity),
      changed: (path) => this.#watch?.changed(path),
      landed: (path) => this.#live.landed(path),
    });
    this.#inquiry = new MarkInquiry(context, name, this.#submissions, rank);
    this.#live = new LiveQueue(context, this.#submissions, () => this.#wakeup.wake());
  }

  get state(): DirectoryState {
    return this.#state;
  }

  /** The directory was not there any more; another may stand under its name by now. */
  get isGone(): boolean {
    return this.#isGone;
  }

  /** The directory is seen in another state now. A listing of the root may be older than what is known here. */
  setState(state: DirectoryState): void {
    if (state === this.#state || (this.#state === 'closed' && this.#hasParseMarker())) return;
    this.#state = state;
    this.#context.tally.directory(this.name, state, false);
    this.#wakeup.wake();
  }

  /** Gives the directory a watch, or takes it away. */
  setWatched(watched: boolean): void {
    if (watched === this.#isWatched) return;
    this.#isWatched = watched;
    this.#wakeup.wake();
  }

  /** Something about the directory may have changed. */
  wake(): void {
    this.#wakeup.wake();
  }

  /** Ends when the directory is sealed or gone, when the scan stops, or with `--once` when there is no more to do. */
  async run(): Promise<void> {
    const { stopping, tally } = this.#context;
    // The listing that led here may be older than the seal.
    if (this.#isFinished()) return;
    tally.directory(this.name, this.#state, false);
    try {
      while (!stopping.aborted) {
        const next = await this.#attemptInSlot();
        if (next === 'done') break;
        if (next !== 'again') await this.#wakeup.sleep(next.waitMs, stopping);
      }
    } finally {
      await this.#stopWatch();
      await this.#submissions.idle();
    }
  }

  async #attemptInSlot(): Promise<Next> {
    // The active directory must not wait for a place behind the backlog, nor must the watch of any other.
    if (this.#state === 'active') return await this.#guarded(() => this.#attempt());
    if (this.#wantsWatch) {
      const failed = await this.#guarded(async () => {
        await this.#startWatch();
        return undefined;
      });
      if (failed !== undefined) return failed;
    }
    const { slots, stopping } = this.#context;
    await slots.acquire(this.#rank);
    try {
      return stopping.aborted ? 'done' : await this.#guarded(() => this.#attempt());
    } finally {
      slots.release();
    }
  }

  async #guarded<T extends Next | undefined>(attempt: () => Promise<T>): Promise<T | Next> {
    try {
      return await attempt();
    } catch (thrown) {
      if (this.#context.stopping.aborted) return 'done';
      // What the system says about the directory, a permission that was taken away for one, is a problem of its own.
      const fallback = errnoOf(thrown) === undefined ? 'INTERNAL' : 'FILE_UNREADABLE';
      const outcome = outcomeOf(this.#context, toIsyncError(thrown, fallback, { path: this.name }));
      if (outcome.kind === 'stopped') return 'done';
      if (outcome.kind !== 'problem') return { waitMs: CHANGED_RECHECK_MS };
      this.#context.tally.problem(this.name, problemOf(outcome.error, outcome.error.path ?? this.name));
      return this.#afterProblem();
    }
  }

  async #attempt(): Promise<Next> {
    const { options, tally, stopping } = this.#context;
    // Whoever took the marker away wants the directory open again.
    if (this.#state === 'closed' && !this.#hasParseMarker()) this.setState('unclosed');
    const state = this.#state;
    // Started before and stopped before the listing: what the watch did not see, the listing does.
    if (this.#wantsWatch) await this.#startWatch();
    else await this.#stopWatch();
    const stats = statsOf(options.root, this.name);
    if (stats === undefined) return this.#gone();
    const round = await this.#round();
    if (stopping.aborted) return 'done';
    if (round.totals.gone) return this.#gone();
    // Written before the watch stood, so that no event told of it.
    if (this.#hasParseMarker()) this.setState('closed');
    if (state !== this.#state) return 'again';
    if (state !== 'closed') await this.#inquiry.askOnce(round);
    if (state === 'active') return options.once ? 'done' : { waitMs: this.#idleMs };
    // Live files that the watch had still told of.
    await this.#submissions.idle();
    const left = state === 'unclosed' ? this.#quiet.look(round.totals, stats.mtimeMs) : undefined;
    if (tally.problemsOf(this.name) > 0) {
      await this.#inquiry.askAbout(round);
      return this.#afterProblem();
    }
    if (round.unmarked > 0) return this.#afterUnmarked();
    this.#vainRounds = 0;
    const hold = left === undefined ? undefined : await this.#holdUnclosed(round, left, stats.dev);
    return hold ?? (await this.#seal(stats, round));
  }

  get #wantsWatch(): boolean {
    return this.#isWatched && this.#state !== 'closed' && !this.#context.options.once;
  }

  /** How long to wait where nothing is to be done, in ms; a watch wakes us. */
  get #idleMs(): number {
    if (this.#watch !== undefined) return Infinity;
    return Math.max(UNWATCHED_RECHECK_MS, this.#context.unwatched() * UNWATCHED_TURN_MS);
  }

  /** Why a directory that nobody has closed can't be sealed yet; undefined where it can. */
  async #holdUnclosed({ totals }: RoundResult, left: QuietLeft, device: number): Promise<Next | undefined> {
    if (totals.files === 0) return this.#leave('it is empty', 'debug');
    if (totals.ignored > 0) return this.#leave('a file in it is in progress');
    if (left.ahead && left.byWatchMs > 0)
      return this.#leave('a time in it lies in the future', 'warn', left.byWatchMs);
    // What the times allow by the end of our own watch is waited for also with `--once`.
    if (left.byTimesMs > left.byWatchMs)
      return this.#leave('it was written to lately', 'info', left.byTimesMs);
    if (left.byWatchMs > 0) return { waitMs: left.byWatchMs };
    const open = await inodesOpenForWriting(device);
    if (open.size > 0 && (await this.#holdsAny(open))) return this.#leave('a file in it is open for writing');
    return undefined;
  }

  /** Leaves the directory unsealed; with `--once` for the next run. */
  #leave(why: string, level: 'debug' | 'info' | 'warn' = 'info', waitMs = BUSY_RECHECK_MS): Next {
    const { options } = this.#context;
    if (why !== this.#left) options.log[level](`left unsealed: ${why}`, { path: this.name });
    this.#left = why;
    return options.once ? 'done' : { waitMs: Math.min(waitMs, this.#idleMs) };
  }

  async #holdsAny(inodes: ReadonlySet<number>): Promise<boolean> {
    const { options, ignore, stopping } = this.#context;
    for await (const batch of listDirectory(options.root, this.name, { ignore, signal: stopping }))
      for (const finding of batch)
        if (finding.kind === 'file' && inodes.has(finding.file.identity.ino)) return true;
    return false;
  }

  /** Files that vanish or change each time they are looked at must not keep a processor busy. */
  #afterUnmarked(): Next {
    const { marks } = this.#submissions;
    this.#vainRounds = marks === this.#marksBefore ? this.#vainRounds + 1 : 0;
    this.#marksBefore = marks;
    if (this.#vainRounds <= 1) return 'again';
    if (this.#context.options.once && this.#vainRounds >= MAX_VAIN_ROUNDS) {
      const message = 'files are listed that can not be sent: they vanish or change each time';
      this.#context.tally.problem(this.name, { path: this.name, code: 'FILE_CHANGED', message });
      return 'done';
    }
    return { waitMs: Math.min(FIRST_VAIN_WAIT_MS * 2 ** this.#vainRounds, LONGEST_VAIN_WAIT_MS) };
  }

  async #round(): Promise<RoundResult> {
    const { options, tally } = this.#context;
    const watch = this.#watch;
    const reconciling = watch !== undefined && this.#rounds > 0;
    const round = await runRound(this.#context, this.name, this.#submissions, {
      rank: this.#rank,
      inTurn: this.#state !== 'active',
      entering: (folder) => watch?.entering(folder),
      settleMs: reconciling ? watch.settleMs : options.settleMs,
      ...(!reconciling ? {} : { watchFresh: (path: RelPath) => watch.changed(path) }),
      found: ({ entry }) => {
        if (reconciling && !this.#live.has(entry.path) && !watch.knows(entry.path)) tally.foundByReconcile++;
      },
    });
    watch?.listed(round.durationMs);
    if (this.#rounds++ === 0) tally.skippedMarked += round.skipped;
    tally.ignored(this.name, round.totals.ignored);
    return round;
  }

  async #seal(stats: Stats, round: RoundResult): Promise<Next> {
    const { options, tally } = this.#context;
    const { root } = options;
    const { markedPrint, marked } = round;
    const identity = await this.#inquiry.identify();
    const sent = await this.#inquiry.sendUnknown(markedPrint, identity);
    if (this.#context.stopping.aborted) return 'done';
    // Also where another one was sent: it would be sent again and again beside the one that the target does not take.
    if (tally.problemsOf(this.name) > 0) return this.#afterProblem();
    if (sent > 0) return 'again';
    const state = this.#state;
    const isUnchanged = async (): Promise<boolean> => {
      const openInodes = state === 'unclosed' ? await inodesOpenForWriting(stats.dev) : NO_INODES;
      const same = await holdsJust(this.#context, this.name, this.#submissions, { markedPrint, openInodes });
      return same && this.#state === state;
    };
    const sealed = await sealDirectory(this.#context, this.name, {
      closed: state === 'closed',
      stats,
      target: identity,
      ...marked,
      fingerprint: markedPrint,
      isUnchanged,
    });
    if (!sealed) return statsOf(root, this.name) === undefined ? this.#gone() : 'again';
    if (round.totals.ignored > 0)
      options.log.warn('sealed without the files that are left alone by their names', {
        path: this.name,
        files: round.totals.ignored,
      });
    tally.directory(this.name, this.#state, true);
    return 'done';
  }

  #afterProblem(): Next {
    return this.#context.options.once ? 'done' : { waitMs: PROBLEM_RECHECK_MS };
  }

  #gone(): Next {
    this.#isGone = true;
    this.#context.tally.forgetProblems(this.name);
    this.#context.options.log.warn('the data directory is gone', { path: this.name });
    return 'done';
  }

  async #startWatch(): Promise<void> {
    if (this.#watchOver) await this.#stopWatch();
    if (this.#watch !== undefined) return;
    const { options, ignore } = this.#context;
    this.#watch = await watchDirectory({
      root: options.root,
      directory: this.name,
      complete: options.complete,
      settleMs: options.settleMs,
      ignored: ignore,
      onEvent: (event) => this.#onEvent(event),
      log: options.log,
    });
    options.log.info('watching', { path: this.name, complete: this.#watch.helper });
  }

  async #stopWatch(): Promise<void> {
    const watch = this.#watch;
    this.#watch = undefined;
    this.#watchOver = false;
    await watch?.[Symbol.asyncDispose]();
  }

  #isFinished(): boolean {
    try {
      const directory = inspectDataDirectory(this.#context.options.root, this.name);
      return (
        directory !== undefined && isSealed(directory, this.#context.store(), this.#context.options.device)
      );
    } catch {
      // It can't be looked at now: the attempts tell why.
      return false;
    }
  }

  #hasParseMarker(): boolean {
    return hasParseMarker(this.#context.options.root, this.name);
  }

  #onEvent(event: WatchEvent): void {
    switch (event.kind) {
      case 'complete':
        this.#live.add(event.path);
        return;
      case 'closed':
        this.setState('closed');
        return;
      case 'reconcile':
        this.#context.options.log.debug('listing again', {
          path: this.name,
          reason: event.reason,
        });
        this.#wakeup.wake();
        return;
      case 'gone':
        this.#watchOver = true;
        this.#wakeup.wake();
        return;
    }
  }
}
