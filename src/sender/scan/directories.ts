import { LRUCache } from 'lru-cache';
import { toIsyncError } from '../../model/isync-error.ts';
import type { RelPath } from '../../model/rel-path.ts';
import { isSealed, sealFault, stateOf, type DataDirectory } from '../../scanner/data-directory.ts';
import { hasParseMarker } from '../../scanner/markers.ts';
import { compareAge, isFromFuture, newestOf } from '../../scanner/newest.ts';
import { DirectoryRun, type DirectoryRole } from './directory-run.ts';
import type { ScanContext } from './scan-context.ts';
import { SealedGrowth } from './sealed-growth.ts';

/** Markers of unsealed directories are looked for in at most so many of them each time, so that it costs a few ms. */
const MAX_POLLED = 1000;
/** An open directory that nobody watches is listed again after this long, in ms, where there are few of them. */
const UNWATCHED_RECHECK_MS = 10_000;
/** The same for each of them: 40 listings a second are made in all. */
const UNWATCHED_TURN_MS = 25;
/** Directories of which something is told once, each thing apart; 200 bytes each. */
const MAX_TOLD = 10_000;

interface Running {
  readonly run: DirectoryRun;
  readonly ended: Promise<void>;
}

/** The data directories of a root: gives each unsealed one its role and its run, and looks whether sealed ones have grown. */
export class Directories {
  readonly #context: ScanContext;
  readonly #onChange: () => void;
  readonly #running = new Map<RelPath, Running>();
  readonly #growth: SealedGrowth;
  readonly #told = new LRUCache<string, true>({ max: MAX_TOLD });
  #nextRank = 0;
  #sealed = 0;
  #polled = 0;

  /** @param onChange called when the root is to be looked at again, soon */
  constructor(context: ScanContext, onChange: () => void) {
    this.#context = context;
    this.#onChange = onChange;
    this.#growth = new SealedGrowth(context, onChange);
  }

  /** Those that are not sealed, the oldest first as they were found. */
  *runs(): Generator<DirectoryRun> {
    for (const { run } of this.#running.values()) yield run;
  }

  /** How many were sealed when the root was listed last, and since. */
  get sealed(): number {
    return this.#sealed;
  }

  /** Takes all that a listing of the root has found. */
  distribute(directories: readonly DataDirectory[]): void {
    const { options, store } = this.#context;
    const { newest: by, maxWatched, target } = options;
    const sentAs = target.traits.device;
    const nowMs = Date.now();
    const newest = newestOf(directories, by, nowMs);
    for (const directory of directories) {
      if (isFromFuture(directory, by, nowMs)) this.#tellFuture(directory);
      this.#tellFault(directory);
      if (isSealed(directory, store.id, sentAs)) this.#growth.look(directory);
    }
    const unsealed = directories
      .filter((directory) => !isSealed(directory, store.id, sentAs))
      .sort(compareAge(by, nowMs));
    this.#sealed = directories.length - unsealed.length;
    const open = unsealed.filter((directory) => !directory.closed).map((directory) => directory.name);
    const watched = new Set(open.slice(-maxWatched));
    const recheckMs = Math.max(UNWATCHED_RECHECK_MS, (open.length - watched.size) * UNWATCHED_TURN_MS);
    for (const directory of unsealed)
      this.#assign(directory.name, {
        state: stateOf(directory, { newest: directory.name === newest?.name, store: store.id, sentAs }),
        watched: watched.has(directory.name),
        recheckMs,
      });
    const present = new Set(unsealed.map((directory) => directory.name));
    for (const [name, { run }] of this.#running) if (!present.has(name)) run.wake();
  }

  /** Has every directory that is not sealed listed again, soon: what was left alone may not be any more. */
  listAgain(): void {
    for (const { run } of this.#running.values()) run.wake();
  }

  /** Looks for the parser's marker, which no event may have told of, in some directories at a time, in turns. */
  poll(): void {
    const open = [...this.#running.values()].filter(({ run }) => run.state !== 'closed');
    const from = this.#polled % Math.max(open.length, 1);
    const turn = [...open.slice(from), ...open.slice(0, from)].slice(0, MAX_POLLED);
    this.#polled = from + turn.length;
    for (const { run } of turn) if (this.#isClosed(run.name)) run.setState('closed');
  }

  /** Resolves when every run has ended. */
  async runsEnd(): Promise<void> {
    while (this.#running.size > 0) await Promise.all([...this.#running.values()].map(({ ended }) => ended));
  }

  /** Resolves to how many sealed directories have been opened again by now, when all that were taken are looked into. */
  async reopened(): Promise<number> {
    await this.#growth.idle();
    return this.#growth.reopened;
  }

  #assign(name: RelPath, role: DirectoryRole): void {
    const known = this.#running.get(name);
    if (known !== undefined) known.run.setRole(role);
    else if (!this.#context.stopping.aborted)
      this.#start(name, new DirectoryRun(this.#context, { name, rank: this.#nextRank++, role }));
  }

  #start(name: RelPath, run: DirectoryRun): void {
    const ended = run
      .run()
      .catch((thrown: unknown) => this.#context.fail(toIsyncError(thrown, 'INTERNAL', { path: name })))
      .finally(() => {
        this.#running.delete(name);
        if (run.isSealed) this.#sealed++;
        // One that was made under that name before this had ended has no run yet.
        if (run.isGone) this.#onChange();
      });
    this.#running.set(name, { run, ended });
  }

  #isClosed(name: RelPath): boolean {
    try {
      return hasParseMarker(this.#context.options.root, name);
    } catch {
      // It can't be looked at now; the directory's own run finds that too, and tells it.
      return false;
    }
  }

  #tellFuture({ name }: DataDirectory): void {
    this.#tellOnce(name, 'its time lies in the future, and so does not decide which directory is the newest');
  }

  #tellFault(directory: DataDirectory): void {
    const { options, store } = this.#context;
    const fault = sealFault(directory, store.id, options.target.traits.device);
    if (fault !== undefined)
      this.#tellOnce(directory.name, `finished.watch does not stand for this directory: ${fault}`);
  }

  #tellOnce(path: RelPath, message: string): void {
    const key = `${path} ${message}`;
    if (this.#told.get(key) === true) return;
    this.#told.set(key, true);
    this.#context.options.log.warn(message, { path });
  }
}
