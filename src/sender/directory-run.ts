import { errnoOf, toIsyncError } from '../model/isync-error.ts';
import { problemOf } from '../model/problem.ts';
import type { RelPath } from '../model/rel-path.ts';
import type { DirectoryState } from '../scanner/data-directory.ts';
import { inspectDataDirectory } from '../scanner/list-data-directories.ts';
import { hasParseMarker } from '../scanner/markers.ts';
import type { WatchEvent } from '../watcher/watch-event.ts';
import { watchDirectory, type DirectoryWatch } from '../watcher/watch-directory.ts';
import { holdsJust, runRound, type RoundResult } from './directory-round.ts';
import { LiveQueue } from './live-queue.ts';
import { checkMarks } from './mark-check.ts';
import type { ScanContext } from './scan-context.ts';
import { mtimeOf, sealDirectory } from './seal-directory.ts';
import { Submissions } from './submissions.ts';
import { outcomeOf } from './transfer.ts';
import { Wakeup } from './wakeup.ts';

/** A directory that has a problem is listed again this often, in ms: someone may have mended it. */
const PROBLEM_RECHECK_MS = 30_000;
/** One whose markers change under our hands is looked at again after this long, in ms. */
const CHANGED_RECHECK_MS = 1_000;

/** What to do after an attempt: end, try at once, or wait (ms) unless something happens before. */
type Next = 'done' | 'again' | { readonly waitMs: number };

/** Follows one data directory, from whatever state it is in to its seal. */
export class DirectoryRun {
  readonly name: RelPath;
  readonly #rank: number;
  readonly #context: ScanContext;
  readonly #submissions: Submissions;
  readonly #live: LiveQueue;
  readonly #wakeup = new Wakeup();
  #state: DirectoryState;
  #watch: DirectoryWatch | undefined;
  /** By the clock of the files; Infinity: never. */
  #watchedSinceMs = Infinity;
  /** The watched folder is not there any more; another may stand under its name. */
  #watchOver = false;
  #isGone = false;
  #rounds = 0;
  #markChecks = 0;
  #quiet: { readonly fingerprint: string; readonly sinceMs: number } | undefined;

  constructor(context: ScanContext, name: RelPath, state: DirectoryState, rank: number) {
    this.#context = context;
    this.name = name;
    this.#rank = rank;
    this.#state = state;
    this.#submissions = new Submissions(context, name, {
      marked: (file, identity) => this.#watch?.handled(file.entry.path, identity),
      changed: (path) => this.#watch?.changed(path),
      landed: (path) => this.#live.landed(path),
    });
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
    // The active directory must not wait for a place behind the backlog.
    if (this.#state === 'active') return await this.#attemptGuarded();
    const { slots } = this.#context;
    await slots.acquire(this.#rank);
    try {
      return this.#context.stopping.aborted ? 'done' : await this.#attemptGuarded();
    } finally {
      slots.release();
    }
  }

  async #attemptGuarded(): Promise<Next> {
    try {
      return await this.#attempt();
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
    if (this.#state === 'closed' && !this.#hasParseMarker()) this.setState('abandoned');
    const state = this.#state;
    // Started before and stopped before the listing: what the watch did not see, the listing does.
    if (state === 'active' && !options.once) await this.#startWatch();
    else await this.#stopWatch();
    const listedMtimeMs = mtimeOf(options.root, this.name);
    if (listedMtimeMs === undefined) return this.#gone();
    const round = await this.#round();
    if (stopping.aborted) return 'done';
    if (round.totals.gone) return this.#gone();
    // Written before the watch stood, so that no event told of it.
    if (this.#hasParseMarker()) this.setState('closed');
    if (state !== this.#state) return 'again';
    if (state === 'active') return options.once ? 'done' : { waitMs: Infinity };
    // Live files that the watch had still told of.
    await this.#submissions.idle();
    if (tally.problemsOf(this.name) > 0) return this.#afterProblem();
    const quietMs = state === 'abandoned' ? this.#quietLeftMs(round.totals.fingerprint) : 0;
    if (round.unmarked > 0) return 'again';
    if (quietMs > 0) return { waitMs: quietMs };
    return await this.#seal(listedMtimeMs, round);
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

  async #seal(listedMtimeMs: number, round: RoundResult): Promise<Next> {
    const { options, tally } = this.#context;
    let unknown = 0;
    // Where this scan itself has sent all of it, the target need not be asked.
    if (round.markedPrint !== this.#submissions.confirmedPrint) {
      const check = await checkMarks(this.#context, this.name, this.#submissions, {
        rank: this.#rank,
        compareTimes: this.#markChecks++ === 0,
        watchedSinceMs: this.#watchedSinceMs,
      });
      if (check.sent > 0) return 'again';
      unknown = check.unknown;
    }
    if (tally.problemsOf(this.name) > 0) return this.#afterProblem();
    if (this.#context.stopping.aborted) return 'done';
    const state = this.#state;
    const sealed = await sealDirectory(this.#context, this.name, {
      closed: state === 'closed',
      isUnchanged: async () =>
        (await holdsJust(this.#context, this.name, this.#submissions, round.markedPrint)) &&
        mtimeOf(options.root, this.name) === listedMtimeMs &&
        this.#state === state,
    });
    if (!sealed) return 'again';
    tally.markedUnknown += unknown;
    if (unknown > 0)
      options.observer.note('warn', 'sealed with marked files that the target does not know', {
        path: this.name,
        files: unknown,
      });
    tally.directory(this.name, this.#state, true);
    return 'done';
  }

  /** How long nothing must still happen before an abandoned directory counts as quiet, in ms. */
  #quietLeftMs(fingerprint: string): number {
    const nowMs = performance.now();
    if (this.#quiet?.fingerprint !== fingerprint) this.#quiet = { fingerprint, sinceMs: nowMs };
    return Math.max(0, this.#quiet.sinceMs + this.#context.options.quietMs - nowMs);
  }

  #afterProblem(): Next {
    return this.#context.options.once ? 'done' : { waitMs: PROBLEM_RECHECK_MS };
  }

  #gone(): Next {
    this.#isGone = true;
    this.#context.tally.forgetProblems(this.name);
    this.#context.options.observer.note('warn', 'the data directory is gone', { path: this.name });
    return 'done';
  }

  async #startWatch(): Promise<void> {
    if (this.#watchOver) await this.#stopWatch();
    if (this.#watch !== undefined) return;
    const { options, ignore } = this.#context;
    this.#watchedSinceMs = Math.min(this.#watchedSinceMs, Date.now());
    this.#watch = await watchDirectory({
      root: options.root,
      directory: this.name,
      complete: options.complete,
      settleMs: options.settleMs,
      ignored: ignore,
      onEvent: (event) => this.#onEvent(event),
      onNote: (level, message, fields) => options.observer.note(level, message, fields),
    });
    options.observer.note('info', 'watching', { path: this.name, complete: this.#watch.helper });
  }

  async #stopWatch(): Promise<void> {
    const watch = this.#watch;
    this.#watch = undefined;
    this.#watchOver = false;
    await watch?.[Symbol.asyncDispose]();
  }

  #isFinished(): boolean {
    try {
      return inspectDataDirectory(this.#context.options.root, this.name)?.finished === true;
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
        this.#context.options.observer.note('debug', 'listing again', {
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
