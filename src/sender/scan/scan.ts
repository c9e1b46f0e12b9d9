import { pause, Wakeup } from '../../flow/wake-up.ts';
import { IsyncError, toIsyncError } from '../../model/isync-error.ts';
import { listDataDirectories } from '../../scanner/list-data-directories.ts';
import { OwnMarks } from '../../scanner/own-marks.ts';
import { SealRecords } from '../../scanner/seal-records.ts';
import { BacklogMeter } from './backlog-meter.ts';
import { Directories } from './directories.ts';
import { KnownStore } from './known-store.ts';
import { OnceLog } from './once-log.ts';
import { RootReport } from './root-report.ts';
import type { ScanContext } from './scan-context.ts';
import { createScanLimits } from './scan-limits.ts';
import type { ScanOptions, ScanSummary } from './scan-options.ts';
import { ScanView } from './scan-view.ts';
import { ScanTally } from './scan-tally.ts';

/** How long files in flight may take to end after the user asked to stop, in ms. */
const STOP_GRACE_MS = 10_000;
/** Whether it still can is looked at this often, in ms. */
const STOP_LOOK_MS = 50;
/** Markers of unsealed directories are looked for this often, in ms. */
const POLL_MS = 500;
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
  readonly #store: KnownStore;
  readonly #directories: Directories;
  readonly #meter: BacklogMeter;
  readonly #records = new SealRecords();
  readonly #wakeup = new Wakeup();
  #failure: IsyncError | undefined;
  #rootChanged = false;
  #sweptMs = 0;
  #learning: Promise<void> | undefined;

  constructor(options: ScanOptions) {
    const changed = () => this.#changed();
    this.#options = options;
    this.#tally = new ScanTally(options.observer);
    this.#rootReport = new RootReport(options);
    this.#store = new KnownStore(options.target, changed);
    const context: ScanContext = {
      options,
      ignore: options.ignore.rule,
      tally: this.#tally,
      machineLog: new OnceLog(options.log),
      limits: createScanLimits(options.target),
      ownMarks: new OwnMarks(),
      store: this.#store,
      stopping: this.#stopping.signal,
      cut: this.#cut.signal,
      fail: (error) => this.#fail(error),
    };
    this.#directories = new Directories(context, changed);
    options.ignore.onChange(() => this.#directories.listAgain());
    this.#meter = new BacklogMeter(context, this.#directories, options.stuckAfterMs ?? Infinity);
    options.onView?.(new ScanView(this.#directories, this.#tally, this.#meter));
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
    const measuring = new AbortController();
    if (this.#options.onView !== undefined) void this.#meter.run(measuring.signal);
    try {
      if (this.#options.once) await this.#doOnce();
      else await this.#follow();
      await this.#runsEnd();
    } finally {
      measuring.abort();
      this.#options.signal.removeEventListener('abort', stop);
    }
    return this.#failure;
  }

  async #doOnce(): Promise<void> {
    await this.#look();
    await this.#runsEnd();
    // What was sealed, and has been opened again because it has grown.
    if ((await this.#directories.reopened()) > 0) await this.#look();
    await this.#runsEnd();
    if (this.#tally.marksNothing) this.#fail(noMarkSticks());
  }

  /** The daemon's loop. The watch of the root stands before the first listing, so that no directory is missed. */
  async #follow(): Promise<void> {
    // Both, so that nothing of a package that is replaced meanwhile is loaded later on. A scan with --once needs neither.
    const [{ watchRoot }] = await Promise.all([
      import('../../watcher/watch-root.ts'),
      import('../../watcher/watch-directory.ts'),
    ]);
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
      else this.#directories.poll();
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
    this.#directories.distribute(directories);
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
      await this.#store.identify({ signal: this.#cut.signal });
    } catch (thrown) {
      // A daemon asks again at its next sweep; a refusal for good ends it by itself.
      if (this.#options.once && !this.#cut.signal.aborted) this.#fail(toIsyncError(thrown, 'INTERNAL'));
    }
  }

  /** Resolves when all runs have ended. Once the scan is stopping, they get as long as something can still come to its end. */
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
    await this.#directories.runsEnd();
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
    hint: 'Run isync as the owner of the files (or as root), on a file system with Unix permissions (vfat and exFAT have none).',
  });
}
