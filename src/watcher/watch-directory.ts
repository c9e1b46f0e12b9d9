import { resolve } from 'node:path';
import { performance } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import type { RelPath } from '../model/rel-path.ts';
import { CloseWrite } from './close-write.ts';
import type { FileIdentity } from '../model/file-identity.ts';
import type { DirectoryWatch, WatchDirectoryOptions } from './directory-watch.ts';
import type { FolderEvents, FolderEventsOptions } from './folder-events.ts';
import { FolderTimes, MAX_POLLED_FOLDERS } from './folder-times.ts';
import { FolderWatches } from './folder-watches.ts';
import { HintFilter, PATIENT_SETTLE_MS } from './hint-filter.ts';
import type { InotifywaitEvents } from './inotifywait-output.ts';
import { closeWriteFault } from './inotifywait.ts';
import { filesBelow } from './moved-folder.ts';
import type { Log } from '../model/log.ts';
import { RECONCILE_MS, ReconcilePace } from './reconcile-pace.ts';
import type { WatchEvent } from './watch-event.ts';
import { watchFailure } from './watch-failure.ts';

/** A timer this late, in ms, means that the event loop was blocked: the kernel's queue (16,384 events) may have run over. */
const BLOCKED_MS = 500;
/**
 * How long the start waits for inotifywait, in ms: it looks at every file first (100,000 in 0.5 s). Until it stands, files
 * are complete when they have settled.
 */
const HELPER_WAIT_MS = 250;

/**
 * Watches a data directory, whatever the number of files in it within milliseconds. Resolves when the watch stands: what the
 * caller lists after that and what events tell leave no gap between them. Where no watch
 * can be had, it logs that (WATCH_FAILED) and throws nothing: 'reconcile' events go on.
 * @throws IsyncError CONFIG_INVALID when `complete` is 'close-write' and inotifywait is missing or too old
 */
export async function watchDirectory(options: WatchDirectoryOptions): Promise<DirectoryWatch> {
  const closeWrite = await canCloseWrite(options);
  options.signal?.throwIfAborted();
  const watch = new Watch(options);
  await watch.start(closeWrite);
  if (options.signal?.aborted === true) {
    await watch[Symbol.asyncDispose]();
    options.signal.throwIfAborted();
  }
  return watch;
}

async function canCloseWrite({ complete, log }: WatchDirectoryOptions): Promise<boolean> {
  if (complete === 'settle') return false;
  const fault = await closeWriteFault();
  // What did not answer is tried again by whoever watches with it: that one time it was too busy decides nothing.
  if (fault === undefined || fault.retryable) return true;
  if (complete === 'close-write') throw fault;
  log.info(`${fault.message}: files are complete when they have settled`, { hint: fault.hint });
  return false;
}

async function startFolderEvents(
  by: WatchDirectoryOptions['events'] = process.platform === 'linux' ? 'inotify' : 'chokidar',
  options: FolderEventsOptions,
): Promise<FolderEvents> {
  if (by === 'inotify') return new FolderWatches(options);
  // Loaded only where it is used.
  const { ChokidarEvents } = await import('./chokidar-events.ts');
  return await ChokidarEvents.start(options);
}

class Watch implements DirectoryWatch {
  readonly #options: WatchDirectoryOptions;
  /** Absolute path. */
  readonly #directory: string;
  readonly #directoryLog: Log;
  readonly #hints: HintFilter;
  readonly #times: FolderTimes;
  readonly #walks = new Set<Promise<void>>();
  readonly #failures = new Set<string>();
  #pace: ReconcilePace | undefined;
  #folderEvents: FolderEvents | undefined;
  #closeWrite: CloseWrite | undefined;
  #timer: NodeJS.Timeout | undefined;
  #timerDue = 0;
  #noWatch = false;
  /** Disposed, or the directory is gone. */
  #over = false;

  constructor(options: WatchDirectoryOptions) {
    this.#options = options;
    this.#directory = resolve(options.root, options.directory);
    this.#directoryLog = options.log.with({ directory: options.directory });
    this.#times = new FolderTimes(this.#directory);
    this.#hints = new HintFilter({
      root: options.root,
      directory: options.directory,
      settleMs: options.settleMs,
      ignored: (path) => options.ignored?.(path) === true,
      onEvent: (event) => this.#tell(event),
      onOverflow: () => this.#lost('too many files changed at once'),
    });
  }

  async start(closeWrite: boolean): Promise<void> {
    if (closeWrite) this.#closeWrite = this.#startCloseWrite();
    this.#folderEvents = await startFolderEvents(this.#options.events, {
      directory: this.#directory,
      onFile: (path, stats) => this.#hints.changed(path, stats),
      onFolder: (path) => this.#addFolder(path),
      onFolderGone: (path) => (path === '' ? this.#gone() : this.#times.delete(path)),
      onError: (error) => this.#failed(error),
      onLost: (reason) => this.#lost(reason),
    });
    await this.#helperTried();
    // The caller lists now, so only what changes from here on is worth a reconcile.
    this.#times.poll();
    this.#pace = new ReconcilePace(performance.now());
    this.#arm();
  }

  get helper(): 'close-write' | 'settle' {
    return this.#closeWrite?.active === true ? 'close-write' : 'settle';
  }

  get settleMs(): number {
    const { settleMs } = this.#options;
    return this.helper === 'close-write' ? Math.max(settleMs, PATIENT_SETTLE_MS) : settleMs;
  }

  knows(path: RelPath): boolean {
    return this.#hints.knows(path);
  }

  entering(path: RelPath): void {
    if (this.#over) return;
    const folder = path.slice(this.#options.directory.length + 1);
    this.#folderEvents?.add(folder);
    if (!this.#times.add(folder, { listedNow: true })) this.#tooManyFolders();
  }

  changed(path: RelPath): void {
    if (this.#over) return;
    this.#hints.listed(path);
  }

  handled(path: RelPath, version: FileIdentity): void {
    this.#hints.handled(path, version);
  }

  listed(durationMs: number): void {
    this.#pace?.listed(durationMs, performance.now());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop();
    await Promise.all([
      this.#folderEvents?.[Symbol.asyncDispose](),
      this.#closeWrite?.[Symbol.asyncDispose](),
      ...this.#walks,
    ]);
  }

  #startCloseWrite(): CloseWrite {
    return new CloseWrite({
      directory: this.#directory,
      onEvents: (events) => this.#closed(events),
      onActive: (active, reason) => {
        // The start has said how files are known then; and a line has said that it ended.
        if (active && this.#pace !== undefined)
          this.#log?.info('inotifywait watches: files are complete when they are closed');
        this.#hints.setPatient(active);
        this.#lost(reason);
      },
      onIncomplete: (reason) => {
        this.#log?.debug(`inotifywait: ${reason}`);
        this.#lost('inotifywait could not watch a folder');
      },
      log: this.#directoryLog,
    });
  }

  async #helperTried(): Promise<void> {
    if (this.#closeWrite === undefined) return;
    const waited = new AbortController();
    await Promise.race([
      this.#closeWrite.tried.then(() => waited.abort()),
      delay(HELPER_WAIT_MS, undefined, { signal: waited.signal }).catch(() => undefined),
    ]);
  }

  #closed({ closed, folders, lost }: InotifywaitEvents): void {
    if (this.#over) return;
    for (const path of closed) this.#hints.closed(path);
    for (const folder of folders) {
      const walk = this.#walk(folder).finally(() => this.#walks.delete(walk));
      this.#walks.add(walk);
    }
    if (lost) this.#lost('inotifywait told what makes no sense');
  }

  /** Whoever moves a whole folder in has written what is in it. */
  async #walk(folder: string): Promise<void> {
    for await (const path of filesBelow(this.#directory, folder)) {
      if (this.#over) return;
      this.#hints.closed(path);
    }
  }

  #addFolder(path: string): void {
    // Those that were there at the start are listed by the caller.
    if (this.#pace !== undefined) this.#hints.folderMade(path);
    if (!this.#times.add(path)) this.#tooManyFolders();
  }

  #tooManyFolders(): void {
    if (this.#failures.has('folders')) return;
    this.#failures.add('folders');
    this.#log?.info(`more than ${MAX_POLLED_FOLDERS} folders: lost events are found later`);
  }

  #failed(error: Error): void {
    if (this.#over) return;
    const failure = watchFailure(error);
    if (failure.noWatch) this.#noWatch = true;
    // One limit fails for every folder: said once aloud.
    const level = this.#failures.has(failure.message) ? 'debug' : 'warn';
    if (this.#failures.size < MAX_POLLED_FOLDERS) this.#failures.add(failure.message);
    this.#log?.[level](failure.message, { code: 'WATCH_FAILED', hint: failure.hint });
    this.#lost(failure.message);
  }

  #lost(reason: string): void {
    this.#pace?.lost(reason);
    this.#tellReconcile();
  }

  #arm(): void {
    if (this.#over) return;
    this.#timerDue = performance.now() + RECONCILE_MS;
    this.#timer = setTimeout(() => this.#tick(), RECONCILE_MS);
  }

  #tick(): void {
    if (performance.now() - this.#timerDue > BLOCKED_MS) this.#pace?.lost('the event loop was blocked');
    this.#look();
    this.#tellReconcile();
    this.#arm();
  }

  #look(): void {
    if (this.#over) return;
    const found = this.#times.poll();
    if (found === 'gone') this.#gone();
    else if (found === 'changed' || this.#noWatch)
      this.#pace?.changed(found === 'changed' ? 'a folder has changed' : 'there is no watch');
  }

  #gone(): void {
    this.#tell({ kind: 'gone' });
    this.#stop();
  }

  #tellReconcile(): void {
    const reason = this.#over ? undefined : this.#pace?.due(performance.now());
    if (reason !== undefined) this.#tell({ kind: 'reconcile', reason });
  }

  #tell(event: WatchEvent): void {
    if (!this.#over) this.#options.onEvent(event);
  }

  /** Undefined once the watch is over. */
  get #log(): Log | undefined {
    return this.#over ? undefined : this.#directoryLog;
  }

  #stop(): void {
    this.#over = true;
    void this.#closeWrite?.[Symbol.asyncDispose]();
    clearTimeout(this.#timer);
    this.#hints[Symbol.dispose]();
  }
}
