import { type FSWatcher, watch } from 'node:fs';
import { opendir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { IsyncError } from '../model/isync-error.ts';
import { decodeName } from '../model/rel-path.ts';
import { isSameFolder, look } from './look.ts';
import type { FolderEvents, FolderEventsOptions } from './folder-events.ts';
import { type Folder, makeFolder, withDescendants } from './folder-tree.ts';

/** Most folders watched at a time. Each costs about 2 KB here and 1 KB in the kernel, so 50 MB; a listing finds what is in others. */
const MAX_WATCHED_FOLDERS = 16_384;
/** Most names that wait to be looked at: an inotify queue (16,384 events by default), about 2 MB. Past it a listing finds them. */
const MAX_TOUCHED = 16_384;
/** Looks (one lstat each, a few µs) between two turns of the event loop. */
const LOOKS_PER_TURN = 512;
/** A turn of looks ends early after this long, in ms: on a slow disk a look can take a millisecond. */
const TURN_MS = 5;
/** A watch that can't be had is tried again after this long, in ms: the limit may have been raised. */
const RETRY_MS = 60_000;

/**
 * One inotify watch for each folder, through node:fs: to set it up costs microseconds and holds nothing, whatever the number
 * of files. Many events of one file that come together are one look at it. (chokidar lists and looks at every entry of a
 * folder first, and again through promises at each event; see ./chokidar-events.ts.)
 */
export class FolderWatches implements FolderEvents {
  readonly #options: FolderEventsOptions;
  readonly #top = makeFolder(undefined, '');
  readonly #dirty = new Set<Folder>();
  readonly #toWalk: Folder[] = [];
  #walking: Promise<void> | undefined;
  #touched = 0;
  #watched = 0;
  #retryAt = 0;
  #turn: NodeJS.Immediate | undefined;
  #over = false;

  constructor(options: FolderEventsOptions) {
    this.#options = options;
    this.#watch(this.#top);
  }

  add(path: string): void {
    let folder = this.#top;
    for (const name of path.split('/')) folder = folder.children.get(name) ?? makeFolder(folder, name);
    if (!this.#watch(folder)) this.#prune(folder);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#over = true;
    clearImmediate(this.#turn);
    this.#forget(this.#top);
    await this.#walking;
  }

  /** Whether the folder that is under this path now has a watch, or has got one. */
  #watch(folder: Folder): boolean {
    if (this.#over) return false;
    const path = this.#pathOf(folder);
    const found = look(path);
    if (folder.watcher !== undefined) {
      if (isSameFolder(folder.stats, found)) return true;
      for (const child of folder.children.values()) this.#forget(child);
      this.#unwatch(folder);
    }
    if (found?.isDirectory() !== true || performance.now() < this.#retryAt) return false;
    const watcher = this.#tryWatch(folder, path);
    if (watcher === undefined) return false;
    folder.watcher = watcher;
    folder.stats = found;
    this.#watched++;
    // node:fs watches what is there at that moment, also through a symlink.
    if (isSameFolder(found, look(path))) return true;
    this.#unwatch(folder);
    this.#options.onLost('a folder was replaced');
    return false;
  }

  #tryWatch(folder: Folder, path: string): FSWatcher | undefined {
    try {
      if (this.#watched >= MAX_WATCHED_FOLDERS)
        throw new IsyncError('WATCH_FAILED', `more than ${MAX_WATCHED_FOLDERS} folders: not all are watched`);
      // Bytes as characters: a Buffer for each event costs more than all else.
      const watcher = watch(path, { encoding: 'latin1' }, (_event, name) => this.#touch(folder, name));
      watcher.on('error', (error) => {
        this.#unwatch(folder);
        this.#failed(error);
      });
      return watcher;
    } catch (error) {
      // Gone since the look at it: the folder above tells.
      if (look(path) !== undefined) this.#failed(error);
      return undefined;
    }
  }

  #failed(error: unknown): void {
    this.#retryAt = performance.now() + RETRY_MS;
    this.#options.onError(error instanceof Error ? error : new Error(String(error)));
  }

  #unwatch(folder: Folder): void {
    if (folder.watcher === undefined) return;
    folder.watcher.close();
    folder.watcher = undefined;
    this.#watched--;
  }

  /** Whatever was known of `folder` and of all below it. */
  #forget(folder: Folder): void {
    for (const one of withDescendants(folder)) {
      this.#unwatch(one);
      this.#touched -= one.touched.size;
      one.touched.clear();
      this.#dirty.delete(one);
    }
    folder.parent?.children.delete(folder.name);
  }

  /** Folders without a watch are not held: of those there may be any number. */
  #prune(folder: Folder): void {
    for (let one = folder; one.parent !== undefined && one.watcher === undefined; one = one.parent) {
      if (one.children.size > 0) return;
      this.#forget(one);
    }
  }

  #touch(folder: Folder, bytes: string | null): void {
    // A name that is not UTF-8 is the listing's to report.
    const name = bytes === null ? undefined : decode(bytes);
    if (name === undefined || this.#over || folder.touched.has(name)) return;
    if (this.#touched >= MAX_TOUCHED) {
      this.#options.onLost('too many files changed at once');
      return;
    }
    folder.touched.add(name);
    this.#touched++;
    this.#dirty.add(folder);
    this.#turn ??= setImmediate(() => this.#lookAtTouched());
  }

  /** After all events that were waiting, so that many of one name are looked at once. */
  #lookAtTouched(): void {
    this.#turn = undefined;
    const start = performance.now();
    let looks = 0;
    for (const folder of this.#dirty) {
      for (const name of folder.touched) {
        if (looks++ >= LOOKS_PER_TURN || performance.now() - start > TURN_MS) {
          this.#turn = setImmediate(() => this.#lookAtTouched());
          return;
        }
        folder.touched.delete(name);
        this.#touched--;
        this.#lookAt(folder, name);
        if (this.#over) return;
      }
      this.#dirty.delete(folder);
    }
  }

  #lookAt(parent: Folder, name: string): void {
    // The kernel tells of a watched folder itself under its own name.
    if (parent === this.#top && name === basename(this.#options.directory)) this.#lookAtTop();
    if (this.#over) return;
    const child = parent.children.get(name);
    const path = parent.path === '' ? name : `${parent.path}/${name}`;
    const stats = look(join(this.#options.directory, path));
    if (stats?.isDirectory() === true) {
      if (child?.watcher === undefined || !isSameFolder(child.stats, stats)) this.#enter(parent, name);
      return;
    }
    if (child !== undefined) {
      this.#forget(child);
      this.#options.onFolderGone(path);
    }
    if (stats !== undefined) this.#options.onFile(path, stats);
  }

  #lookAtTop(): void {
    const now = look(this.#options.directory);
    if (now === undefined || !isSameFolder(this.#top.stats, now)) this.#options.onFolderGone('');
  }

  /** A folder is new, here at least: watched first, then read. */
  #enter(parent: Folder, name: string): void {
    const folder = parent.children.get(name) ?? makeFolder(parent, name);
    if (!this.#watch(folder)) {
      this.#prune(folder);
      return;
    }
    this.#options.onFolder(folder.path);
    this.#toWalk.push(folder);
    this.#walking ??= this.#walk().finally(() => (this.#walking = undefined));
  }

  async #walk(): Promise<void> {
    for (let folder = this.#toWalk.pop(); folder !== undefined; folder = this.#toWalk.pop()) {
      try {
        for await (const { name } of await opendir(this.#pathOf(folder))) {
          if (this.#over) return;
          this.#lookAt(folder, name);
        }
      } catch {
        // Gone, or not to be read: the listing that follows every change of a folder meets and reports it.
      }
    }
  }

  #pathOf({ path }: Folder): string {
    return join(this.#options.directory, path);
  }
}

const ASCII = /^[\0-\x7f]*$/;

function decode(bytes: string): string | undefined {
  return ASCII.test(bytes) ? bytes : decodeName(Buffer.from(bytes, 'latin1'));
}
