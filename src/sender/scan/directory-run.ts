import type { Stats } from 'node:fs';
import { Wakeup } from '../../flow/wake-up.ts';
import { errnoOf, toIsyncError } from '../../model/isync-error.ts';
import { problemOf, type Problem } from '../../model/problem.ts';
import type { RelPath } from '../../model/rel-path.ts';
import { isSealed, type DirectoryState } from '../../scanner/data-directory.ts';
import type { ListedFile } from '../../scanner/listed-file.ts';
import { inspectDataDirectory } from '../../scanner/list-data-directories.ts';
import { hasParseMarker } from '../../scanner/markers.ts';
import { openWriters, type OpenFiles } from '../../scanner/open-files.ts';
import type { WatchEvent } from '../../watcher/watch-event.ts';
import { runRound, type RoundResult } from './directory-round.ts';
import { LiveQueue } from './live-queue.ts';
import { MarkInquiry } from './mark-inquiry.ts';
import type { ScanContext } from './scan-context.ts';
import { holdsJust, sealDirectory, statsOf } from './seal-directory.ts';
import { Submissions } from './submissions.ts';
import { outcomeOf } from './transfer.ts';
import { Unclosed, type Hold } from './unclosed.ts';
import { VainTries } from './vain-tries.ts';
import type { Waiting } from './waiting-files.ts';
import { Watching } from './watching.ts';

/** A directory that has a problem is listed again this often, in ms: someone may have mended it. */
const PROBLEM_RECHECK_MS = 30_000;
/** One whose markers change under our hands is looked at again after this long, in ms. */
const CHANGED_RECHECK_MS = 1_000;
/** `--once` gives up after so many listings whose files vanish or change each time. */
const MAX_VAIN_ROUNDS = 10;
/** The same after so many seals that found files to send. */
const MAX_VAIN_SEALS = 5;
/** Files of which only an event has told, so that neither size nor age is known: so few are not worth a listing. */
const MAX_UNSIZED = 256;
const NO_WRITERS: OpenFiles = { has: () => false, hasWorkerIn: () => false };

/** What to do after an attempt: end, try at once, or wait (ms) unless something happens before. */
type Next = 'done' | 'again' | { readonly waitMs: number };

/** What the scan, which knows all directories, decides for one of them. */
export interface DirectoryRole {
  readonly state: DirectoryState;
  /** Whether it may have a watch while it is open. */
  readonly watched: boolean;
  /** How often it is listed while it is open and has no watch, in ms. */
  readonly recheckMs: number;
}

export interface DirectoryRunOptions {
  readonly name: RelPath;
  /** Older directories have lower ones. */
  readonly rank: number;
  readonly role: DirectoryRole;
}

/**
 * Follows one data directory, from whatever state it is in to its seal. It calls its parts, and they call each other only
 * downwards: the live queue the submissions. The watch tells of events, the submissions of outcomes.
 */
export class DirectoryRun {
  readonly name: RelPath;
  readonly #rank: number;
  readonly #context: ScanContext;
  readonly #watching: Watching;
  readonly #submissions: Submissions;
  readonly #live: LiveQueue;
  readonly #inquiry: MarkInquiry;
  readonly #unclosed: Unclosed;
  readonly #vainRounds = new VainTries(MAX_VAIN_ROUNDS);
  readonly #vainSeals = new VainTries(MAX_VAIN_SEALS);
  readonly #wakeup = new Wakeup();
  #state: DirectoryState;
  #role: DirectoryRole;
  #isGone = false;
  #isSealed = false;
  #rounds = 0;
  #isListing = false;
  #lastWriteMs = 0;
  #marksBefore = 0;

  constructor(context: ScanContext, { name, rank, role }: DirectoryRunOptions) {
    this.#context = context;
    this.name = name;
    this.#rank = rank;
    this.#role = role;
    this.#state = role.state;
    this.#unclosed = new Unclosed(context, name);
    this.#watching = new Watching(context, name, (event) => this.#onEvent(event));
    this.#submissions = new Submissions(context, name, this.#watching);
    this.#live = new LiveQueue(context, this.#submissions, () => this.#wakeup.wake());
    this.#inquiry = new MarkInquiry(context, name, this.#submissions, rank);
  }

  /** Files on their way, listed, or told of by the watch; bytes and age are of the first two. */
  get waiting(): Waiting {
    const known = this.#submissions.waiting;
    return { ...known, files: known.files + this.#live.size };
  }

  /** Whether more may wait than `waiting` tells: it has not been listed to its end, or events tell no sizes. */
  get isPartlyKnown(): boolean {
    return this.#isListing || this.#rounds === 0 || this.#live.size > MAX_UNSIZED;
  }

  get marks(): { readonly files: number; readonly bytes: number } {
    return this.#submissions.marked;
  }

  /** When something in it was written last, as far as is known, in ms since 1970; 0 where nothing is. */
  get lastWriteMs(): number {
    return this.#lastWriteMs;
  }

  /** Takes the time of a write that somebody else has found; one in the future is one of now. */
  wroteAt(ms: number): void {
    this.#lastWriteMs = Math.max(this.#lastWriteMs, Math.min(ms, Date.now()));
  }

  inFlight(): Iterable<{ readonly path: RelPath; readonly size: number }> {
    return this.#submissions.inFlight();
  }

  /** Whether `file`, as it was listed, still has to be sent. */
  isUnsent(file: ListedFile): boolean {
    return !this.#submissions.isMarked(file) && this.#submissions.refusalOf(file) === undefined;
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

  setRole(role: DirectoryRole): void {
    const { watched } = this.#role;
    this.#role = role;
    this.setState(role.state);
    if (role.watched !== watched) this.#wakeup.wake();
  }

  /** It has come to its seal. */
  get isSealed(): boolean {
    return this.#isSealed;
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
      await this.#watching.stop();
      await this.#submissions.idle();
    }
  }

  async #attemptInSlot(): Promise<Next> {
    // The active directory must not wait for a place behind the backlog, nor must the watch of any other.
    if (this.#state === 'active') return await this.#guarded(() => this.#attempt());
    if (this.#wantsWatch) {
      const failed = await this.#guarded(async () => {
        await this.#watching.start();
        return undefined;
      });
      if (failed !== undefined) return failed;
    }
    const { limits, stopping } = this.#context;
    await limits.directories.acquire(this.#rank);
    try {
      return stopping.aborted ? 'done' : await this.#guarded(() => this.#attempt());
    } finally {
      limits.directories.release();
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
    if (this.#wantsWatch) await this.#watching.start();
    else await this.#watching.stop();
    const stats = statsOf(options.root, this.name);
    if (stats === undefined) return this.#gone();
    this.wroteAt(stats.mtimeMs);
    const round = await this.#round();
    this.wroteAt(round.totals.lastChangeMs);
    if (stopping.aborted) return 'done';
    if (round.totals.gone) return this.#gone();
    // Written before the watch stood, so that no event told of it.
    if (this.#hasParseMarker()) this.setState('closed');
    if (state !== this.#state) return 'again';
    if (state !== 'closed') await this.#inquiry.askOnce(round);
    if (state === 'active') return options.once ? 'done' : { waitMs: this.#idleMs };
    // Live files that the watch had still told of.
    await this.#submissions.idle();
    if (state === 'unclosed') this.#unclosed.listed(round.totals, stats.mtimeMs);
    if (tally.problemsOf(this.name) > 0) {
      await this.#inquiry.askAbout(round);
      return this.#afterProblem();
    }
    if (round.unmarked > 0) return this.#afterUnmarked();
    this.#vainRounds.reset();
    const hold = state === 'unclosed' ? await this.#unclosed.hold(round.totals, stats) : undefined;
    return hold === undefined ? await this.#seal(stats, round) : this.#afterHold(hold);
  }

  get #wantsWatch(): boolean {
    return this.#role.watched && this.#state !== 'closed' && !this.#context.options.once;
  }

  /** How long to wait where nothing is to be done, in ms; a watch wakes us. */
  get #idleMs(): number {
    return this.#watching.watch === undefined ? this.#role.recheckMs : Infinity;
  }

  /** What waits for others than us is left to the next run with `--once`. */
  #afterHold({ why, waitMs }: Hold): Next {
    if (why === undefined) return { waitMs };
    return this.#context.options.once ? 'done' : { waitMs: Math.min(waitMs, this.#idleMs) };
  }

  #afterUnmarked(): Next {
    const { marks } = this.#submissions;
    if (marks === this.#marksBefore) this.#vainRounds.add();
    else this.#vainRounds.reset();
    this.#marksBefore = marks;
    const message = 'files are listed that can not be sent: they vanish or change each time';
    return this.#afterVain(this.#vainRounds, { path: this.name, code: 'FILE_CHANGED', message });
  }

  /** A target that confirms files and does not list them must not get them over and over. */
  #afterSentAtSeal(): Next {
    this.#vainSeals.add();
    const message = 'the target confirms files and does not list them, or lists them with other sizes';
    return this.#afterVain(this.#vainSeals, { path: this.name, code: 'DIFFERENT', message });
  }

  #afterVain({ tooMany, waitMs }: VainTries, problem: Problem): Next {
    if (this.#context.options.once && tooMany) {
      this.#context.tally.problem(this.name, problem);
      return 'done';
    }
    return waitMs === 0 ? 'again' : { waitMs };
  }

  async #round(): Promise<RoundResult> {
    const { options, tally } = this.#context;
    const { watch } = this.#watching;
    const reconciling = watch !== undefined && this.#rounds > 0;
    this.#isListing = true;
    const round = await runRound(this.#context, this.name, this.#submissions, {
      rank: this.#rank,
      inTurn: this.#state !== 'active',
      entering: (folder) => watch?.entering(folder),
      settleMs: reconciling ? watch.settleMs : options.settleMs,
      ...(!reconciling ? {} : { watchFresh: (path: RelPath) => watch.changed(path) }),
      found: ({ entry }) => {
        if (reconciling && !this.#live.has(entry.path) && !watch.knows(entry.path)) tally.foundByReconcile++;
      },
    }).finally(() => (this.#isListing = false));
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
    const sent = await this.#inquiry.sendUnknown(marked.files, identity);
    if (this.#context.stopping.aborted) return 'done';
    // Also where another one was sent: it would be sent again and again beside the one that the target does not take.
    if (tally.problemsOf(this.name) > 0) return this.#afterProblem();
    if (sent > 0) return this.#afterSentAtSeal();
    this.#vainSeals.reset();
    const state = this.#state;
    const isUnchanged = async (): Promise<boolean> => {
      const writers = state === 'unclosed' ? await openWriters() : NO_WRITERS;
      const same = await holdsJust(this.#context, this.name, this.#submissions, { markedPrint, writers });
      return same && this.#state === state && (await this.#inquiry.isStillThere(marked.files, identity));
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
    this.#isSealed = true;
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

  #isFinished(): boolean {
    try {
      const { options, store } = this.#context;
      const directory = inspectDataDirectory(options.root, this.name);
      return directory !== undefined && isSealed(directory, store.id, options.target.traits.device);
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
        this.wroteAt(Date.now());
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
        this.#wakeup.wake();
        return;
    }
  }
}
