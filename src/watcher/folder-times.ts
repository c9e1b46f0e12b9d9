import { join } from 'node:path';
import type { Stats } from 'node:fs';
import { isSameFolder, look } from './look.ts';

/** Most folders whose times are looked at, each a few µs a round. Changes in others are found by the slow reconcile. */
export const MAX_POLLED_FOLDERS = 1024;
/**
 * Coarsest step of a file system's clock, in ms, with room (a kernel tick is at most 10). A folder changed within
 * it may change again without its mtime showing it.
 */
const CLOCK_STEP_MS = 20;

/**
 * Notices by their mtimes that something was created, renamed or removed in any of the known folders of a
 * directory, whatever the watches say; and that the directory itself is gone or was made anew.
 */
export class FolderTimes {
  readonly #directory: string;
  readonly #identity: Stats | undefined;
  readonly #mtimes = new Map<string, number>();

  /** @param directory absolute path */
  constructor(directory: string) {
    this.#directory = directory;
    this.#identity = look(directory);
    this.add('');
  }

  /**
   * Looks after `folder` too, a path relative to the directory. What was in it before is a change, unless `listedNow`: the
   * caller reads it after this. False when there are too many.
   */
  add(folder: string, { listedNow = false } = {}): boolean {
    if (this.#mtimes.has(folder)) return true;
    if (this.#mtimes.size >= MAX_POLLED_FOLDERS) return false;
    const stats = listedNow ? look(join(this.#directory, folder)) : undefined;
    this.#mtimes.set(folder, baselineOf(stats));
    return true;
  }

  delete(folder: string): void {
    if (folder !== '') this.#mtimes.delete(folder);
  }

  /** Returns what has happened since the last poll. A folder that was added since then counts as a change, see {@link add}. */
  poll(): 'same' | 'changed' | 'gone' {
    const now = look(this.#directory);
    if (now === undefined || !isSameFolder(this.#identity, now)) return 'gone';
    let changed = false;
    for (const [folder, before] of this.#mtimes) {
      const stats = look(join(this.#directory, folder));
      if (stats?.mtimeMs === before) continue;
      changed = true;
      if (stats === undefined) this.delete(folder);
      else this.#mtimes.set(folder, baselineOf(stats));
    }
    return changed ? 'changed' : 'same';
  }
}

/** Returns the times to compare with later; equal to nothing where another change would not show. */
function baselineOf(stats: Stats | undefined): number {
  return stats === undefined || Date.now() - stats.mtimeMs < CLOCK_STEP_MS ? NaN : stats.mtimeMs;
}
