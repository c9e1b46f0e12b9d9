import type { Stats } from 'node:fs';
import { join } from 'node:path';
import { type FSWatcher, watch } from 'chokidar';
import { IsyncError } from '../model/isync-error.ts';
import { look } from './look.ts';
import type { FolderEvents, FolderEventsOptions } from './folder-events.ts';

/**
 * By chokidar, for systems whose own watch of a folder is not to be relied on as inotify is. It reads and keeps every entry:
 * beside 1,000,000 files it stands after 16 s and holds 350 MB, where ./folder-watches.ts takes milliseconds and nothing.
 */
export class ChokidarEvents implements FolderEvents {
  readonly #options: FolderEventsOptions;
  readonly #watcher: FSWatcher;
  readonly #folders = new Set<string>();
  #ready = false;

  private constructor(options: FolderEventsOptions) {
    this.#options = options;
    const { directory } = options;
    this.#folders.add(directory);
    this.#watcher = watch([], {
      // Otherwise names ending "~" or ".swp" are never told.
      atomic: false,
      followSymlinks: false,
      ignored: (path, stats) => stats === undefined && this.#isMissing(path),
    });
    this.#watcher.on('add', (path, stats) => this.#file(path, stats));
    this.#watcher.on('change', (path, stats) => this.#file(path, stats));
    this.#watcher.on('addDir', (path) => {
      this.#folders.add(path);
      options.onFolder(this.#relative(path));
    });
    this.#watcher.on('unlinkDir', (path) => {
      if (path !== directory) this.#folders.delete(path);
      options.onFolderGone(this.#relative(path));
    });
    this.#watcher.on('error', (error) => {
      options.onError(error instanceof Error ? error : new Error(String(error)));
    });
  }

  /** Resolves when the watch stands, or could not be had: then `onError` was told, and nothing more will be. */
  static async start(options: FolderEventsOptions): Promise<ChokidarEvents> {
    const events = new ChokidarEvents(options);
    // chokidar takes every "\" of a path it is given for a "/".
    if (options.directory.includes('\\')) {
      options.onError(new IsyncError('WATCH_FAILED', `can't watch below a folder with "\\" in its name`));
      return events;
    }
    const ready = new Promise<void>((resolve) => void events.#watcher.once('ready', () => resolve()));
    events.#watcher.add(options.directory);
    await ready;
    events.#ready = true;
    return events;
  }

  add(folder: string): void {
    const path = join(this.#options.directory, folder);
    if (this.#watcher.closed || this.#folders.has(path) || path.includes('\\')) return;
    this.#folders.add(path);
    this.#watcher.add(path);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#watcher.close();
  }

  #file(path: string, stats: Stats | undefined): void {
    if (this.#ready && stats !== undefined) this.#options.onFile(this.#relative(path), stats);
  }

  /**
   * On an event of a name that is gone already, such as a temporary file that was renamed, chokidar 6 reads the
   * whole folder anew (20 ms of CPU for each event where 50,000 files are in it). Files that are gone are no
   * concern of ours, so it is made to ignore them; folders that are gone it must notice.
   */
  #isMissing(path: string): boolean {
    return !this.#folders.has(path) && look(path) === undefined;
  }

  #relative(path: string): string {
    return path.slice(this.#options.directory.length + 1);
  }
}
