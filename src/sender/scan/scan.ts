import { LRUCache } from 'lru-cache';
import { IsyncError, toIsyncError } from '../../model/isync-error.ts';
import type { RelPath } from '../../model/rel-path.ts';
import { isSealed, sealFault, stateOf, type DataDirectory } from '../../scanner/data-directory.ts';
import { createIgnoreRule } from '../../scanner/ignore-rule.ts';
import { listDataDirectories } from '../../scanner/list-data-directories.ts';
import { hasParseMarker } from '../../scanner/markers.ts';
import { compareAge, isFromFuture, newestOf } from '../../scanner/newest.ts';
import { SealRecords } from '../../scanner/seal-records.ts';
import { watchRoot } from '../../watcher/watch-root.ts';
import { Admission } from '../../flow/admission.ts';
import { DirectoryRun, type DirectoryRunOptions } from './directory-run.ts';
import { RootReport } from './root-report.ts';
import type { ScanContext } from './scan-context.ts';
import type { ScanOptions, ScanSummary } from './scan-options.ts';
import { ScanTally } from './scan-tally.ts';
import { SealedGrowth } from './sealed-growth.ts';
import { pause, Wakeup } from '../../flow/wake-up.ts';

/**
 * Files of the backlog that are being sent or wait for their acknowledgement: 2 MB of files of 4 KiB fill 100 Mbit/s over
 * 100 ms. Twice as many are no faster and cost either side 20 MB.
 */
const MAX_BACKLOG_IN_FLIGHT = 512;
/** The same where they are compressed, to an eighth or so: 10,000 files over that link take 2.3 s instead of 4.0 s. */
const MAX_COMPRESSED_IN_FLIGHT = 2048;
/** The same for live files, apart. */
const MAX_LIVE_IN_FLIGHT = 1024;
/** Directories listed, sent and sealed at a time: hides the round trip of a seal behind the files of the next ones. */
const MAX_DIRECTORIES_AT_ONCE = 32;
/**
 * Directories of which the target is asked at a time what it has: hides the round trip of small ones. The answer for a million
 * files takes 200 MB, and all directories are asked about after a restart.
 */
const MAX_QUESTIONS_AT_ONCE = 4;
/** How long files in flight may take to end after the user asked to stop, in ms. */
const STOP_GRACE_MS = 10_000;
/** Whether it still can is looked at this often, in ms. */
const STOP_LOOK_MS = 50;
/** Markers of unsealed directories are looked for this often, in ms. */
const POLL_MS = 500;
/** At most so many of them each time, so that a poll costs a few ms. */
const MAX_POLLED = 1000;
/** Directories of which something is told once, each thing apart; 200 bytes each. */
const MAX_TOLD = 10_000;
/** All directories are looked at again this often, in ms: one may have lost its `finished.watch`. */
const SWEEP_MS = 60_000;

export interface ScanResult {
  readonly summary: ScanSummary;
  /** Why the scan ended before its time; undefined when it did what it was asked to. */
  readonly failure: IsyncError | undefined;
}

/**
 * Looks after a root: sends what its data directories hold and seals them. Ends when all is done (`once`), when the signal
 * fires, or at the first error that is no single file's. Rejects with ROOT_MISSING when there is nothing to look after, and
 * with CONFIG_INVALID when the root looks like a data directory itself.
 */
export async function scan(options: ScanOptions): Promise<ScanResult> {
  const run = new Scan(options);
  const failure = await run.run();
  return { summary: run.summary(), failure };
}

class Scan {
  readonly #options: ScanOptions;
  readonly #tally: ScanTally;
  readonly #rootReport: RootReport;
  readonly #stopping = new AbortController();
  readonly #cut = new AbortController();
  readonly #context: ScanContext;
  readonly #runs = new Map<RelPath, { readonly run: DirectoryRun; readonly ended: Promise<void> }>();
  readonly #wakeup = new Wakeup();
  #failure: IsyncError | undefined;
  #rootChanged = false;
  #sweptMs = 0;
  #nextRank = 0;
  #store: string | undefined;
  #learning: Promise<void> | undefined;
  #unwatched = 0;
  readonly #records = new SealRecords();
  readonly #growth: SealedGrowth;
  readonly #told = new LRUCache<string, true>({ max: MAX_TOLD });
  #polled = 0;

  constructor(options: ScanOptions) {
    this.#options = options;
    this.#tally = new ScanTally(options.observer);
    this.#rootReport = new RootReport(options);
    this.#context = {
      options,
      ignore: createIgnoreRule(options.ignore),
      tally: this.#tally,
      startedMs: Date.now(),
      store: () => this.#store,
      unwatched: () => this.#unwatched,
      storeSeen: (store) => this.#storeSeen(store),
      look: () => this.#changed(),
      backlog: new Admission(options.compressed ? MAX_COMPRESSED_IN_FLIGHT : MAX_BACKLOG_IN_FLIGHT),
      live: new Admission(MAX_LIVE_IN_FLIGHT),
      slots: new Admission(MAX_DIRECTORIES_AT_ONCE),
      listings: new Admission(1),
      questions: new Admission(MAX_QUESTIONS_AT_ONCE),
      stopping: this.#stopping.signal,
      cut: this.#cut.signal,
      fail: (error) => this.#fail(error),
    };
    this.#growth = new SealedGrowth(this.#context);
  }

  summary(): ScanSummary {
    return this.#tally.summary();
  }

  async run(): Promise<IsyncError | undefined> {
    const stop = (): void => this.#stopping.abort();
    if (this.#options.signal.aborted) stop();
    this.#options.signal.addEventListener('abort', stop, { once: true });
    // Also while there is nothing to send: a daemon must not look well when its token is not.
    void this.#options.target.refused.then((error) => this.#fail(error));
    try {
      if (this.#options.once) await this.#doOnce();
      else await this.#follow();
      await this.#runsEnd();
    } finally {
      this.#options.signal.removeEventListener('abort', stop);
    }
    return this.#failure;
  }

  async #doOnce(): Promise<void> {
    await this.#look();
    await this.#runsEnd();
    await this.#growth.idle();
    // What was sealed, and has been opened again because it has grown.
    if (this.#growth.reopened > 0) await this.#look();
    await this.#runsEnd();
    if (this.#tally.marksNothing) this.#fail(noMarkSticks());
  }

  /** The daemon's loop. The watch of the root stands before the first listing, so that no directory is missed. */
  async #follow(): Promise<void> {
    await using watch = watchRoot({
      root: this.#options.root,
      onChange: () => this.#changed(),
      log: this.#options.log,
    });
    if (!watch.watching) this.#options.log.warn('the root is polled: no watch can be had');
    await this.#look();
    while (!this.#stopping.signal.aborted) {
      await this.#wakeup.sleep(POLL_MS, this.#stopping.signal);
      if (this.#stopping.signal.aborted) return;
      if (this.#rootChanged || performance.now() - this.#sweptMs >= SWEEP_MS) await this.#lookGuarded();
      else this.#poll();
    }
  }

  #changed(): void {
    this.#rootChanged = true;
    this.#wakeup.wake();
  }

  /** While the scan runs, a root that can't be read is waited for: a disk may be mounted again. */
  async #lookGuarded(): Promise<void> {
    try {
      await this.#look();
    } catch (thrown) {
      const error = toIsyncError(thrown, 'ROOT_MISSING', { path: this.#options.root });
      this.#tally.problem('', { path: this.#options.root, code: error.code, message: error.message });
    }
  }

  /** Lists the data directories, and sees to each. */
  async #look(): Promise<void> {
    this.#rootChanged = false;
    this.#sweptMs = performance.now();
    const { root, tag } = this.#options;
    const found = await listDataDirectories(root, { tag, records: this.#records });
    const { directories, problems } = found;
    this.#tally.looseFiles = found.looseFiles;
    this.#rootReport.looked(found);
    this.#tally.forgetProblems('');
    for (const problem of problems) this.#tally.problem('', problem);
    const recorded = directories.some((directory) => directory.seal?.record !== undefined);
    if (recorded) await this.#learnStore();
    this.#distribute(directories);
  }

  /** Gives each unsealed directory its state, its watch and its run, the oldest first. */
  #distribute(directories: readonly DataDirectory[]): void {
    const { newest: by, maxWatched, device: sentAs } = this.#options;
    const nowMs = Date.now();
    const store = this.#store;
    const newest = newestOf(directories, by, nowMs);
    for (const directory of directories) {
      if (isFromFuture(directory, by, nowMs)) this.#tellFuture(directory);
      this.#tellFault(directory);
      if (isSealed(directory, store, sentAs)) this.#growth.look(directory);
    }
    const unsealed = directories
      .filter((directory) => !isSealed(directory, store, sentAs))
      .sort(compareAge(by, nowMs));
    const open = unsealed.filter((directory) => !directory.closed).map((directory) => directory.name);
    const watched = new Set(open.slice(-maxWatched));
    this.#unwatched = open.length - watched.size;
    for (const directory of unsealed)
      this.#assign(directory, {
        state: stateOf(directory, { newest: directory.name === newest?.name, store, sentAs }),
        watched: watched.has(directory.name),
      });
    const present = new Set(unsealed.map((directory) => directory.name));
    for (const [name, { run }] of this.#runs) if (!present.has(name)) run.wake();
  }

  #assign({ name }: DataDirectory, { state, watched }: Pick<DirectoryRunOptions, 'state' | 'watched'>): void {
    const known = this.#runs.get(name);
    if (known !== undefined) {
      known.run.setState(state);
      known.run.setWatched(watched);
    } else if (!this.#stopping.signal.aborted)
      this.#start(name, new DirectoryRun(this.#context, { name, state, watched, rank: this.#nextRank++ }));
  }

  /**
   * Asks the target which store it is, for markers may be those of another. With `once` the answer is waited for; a daemon
   * believes markers until it comes, and looks again then.
   */
  async #learnStore(): Promise<void> {
    this.#learning ??= this.#askStore().finally(() => (this.#learning = undefined));
    if (this.#options.once) await this.#learning;
  }

  /** Never rejects. */
  async #askStore(): Promise<void> {
    try {
      const { store } = await this.#options.target.identify({ signal: this.#cut.signal });
      this.#storeSeen(store);
    } catch (thrown) {
      // A daemon asks again at its next sweep; a refusal for good ends it by itself.
      if (this.#options.once && !this.#cut.signal.aborted) this.#fail(toIsyncError(thrown, 'INTERNAL'));
    }
  }

  #storeSeen(store: string | undefined): void {
    if (store === this.#store) return;
    this.#store = store;
    this.#changed();
  }

  #tellFuture({ name }: DataDirectory): void {
    this.#tellOnce(name, 'its time lies in the future, and so does not decide which directory is the newest');
  }

  #tellFault(directory: DataDirectory): void {
    const fault = sealFault(directory, this.#store, this.#options.device);
    if (fault !== undefined)
      this.#tellOnce(directory.name, `finished.watch does not stand for this directory: ${fault}`);
  }

  #tellOnce(path: RelPath, message: string): void {
    const key = `${path} ${message}`;
    if (this.#told.get(key) === true) return;
    this.#told.set(key, true);
    this.#options.log.warn(message, { path });
  }

  #start(name: RelPath, run: DirectoryRun): void {
    const ended = run
      .run()
      .catch((thrown: unknown) => this.#fail(toIsyncError(thrown, 'INTERNAL', { path: name })))
      .finally(() => {
        this.#runs.delete(name);
        // One that was made under that name before this had ended has no run yet.
        if (run.isGone) this.#changed();
      });
    this.#runs.set(name, { run, ended });
  }

  /** The parser's marker, which no event may have told of, some directories at a time, in turns. */
  #poll(): void {
    const open = [...this.#runs.values()].filter(({ run }) => run.state !== 'closed');
    const from = this.#polled % Math.max(open.length, 1);
    const turn = [...open.slice(from), ...open.slice(0, from)].slice(0, MAX_POLLED);
    this.#polled = from + turn.length;
    for (const { run } of turn) if (this.#isClosed(run.name)) run.setState('closed');
  }

  #isClosed(name: RelPath): boolean {
    try {
      return hasParseMarker(this.#options.root, name);
    } catch {
      // It can't be looked at now; the directory's own run finds that too, and tells it.
      return false;
    }
  }

  async #runsEnd(): Promise<void> {
    const ended = new AbortController();
    const cut = async (): Promise<void> => {
      const sinceMs = performance.now();
      // Without a link, or with all of it waiting for another try, what is in flight would only wait.
      while (
        !this.#options.target.stalled &&
        performance.now() - sinceMs < STOP_GRACE_MS &&
        !ended.signal.aborted
      )
        await pause(STOP_LOOK_MS, ended.signal);
      this.#cut.abort();
    };
    const stopping = this.#stopping.signal;
    const stopped = (): void => void cut();
    if (stopping.aborted) stopped();
    else stopping.addEventListener('abort', stopped, { once: true });
    while (this.#runs.size > 0) await Promise.all([...this.#runs.values()].map((entry) => entry.ended));
    stopping.removeEventListener('abort', stopped);
    ended.abort();
  }

  #fail(error: IsyncError): void {
    this.#failure ??= error;
    this.#stopping.abort();
    this.#cut.abort();
  }
}

function noMarkSticks(): IsyncError {
  return new IsyncError('MARK_NOT_KEPT', 'none of the files could be marked', {
    hint: 'Run isync as the owner of the files (or as root).',
  });
}
