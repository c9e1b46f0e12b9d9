import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  lstatSync,
  openSync,
  rmdirSync,
  unlinkSync,
  type Stats,
} from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { IsyncError } from '../model/isync-error.ts';
import { WATCH_MARKER } from '../model/markers.ts';
import { decodeName } from '../model/rel-path.ts';
import { FolderHandle } from './folder-handle.ts';

/** Other work gets its turn after this long, in ms. */
const SLICE_MS = 4;
const FOLDER_FLAGS = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;

export interface Removal {
  /** Absolute path of the directory. */
  readonly path: string;
  /** What something of it must be to go: it was looked at, and nothing has happened to it since this time, in ms. */
  readonly lastCtimeMs: number;
  /** Called before the first is removed, and now and then: throws where no more may go. */
  readonly checkOn: () => void;
  /** Called when nothing is left but our own marker. */
  readonly beforeMarker?: (() => Promise<void>) | undefined;
}

/**
 * Removes a directory: its files, its folders, our marker last, then itself. Each file is looked at once more right before
 * it goes. Folders are held open and entered by no name twice, so that none that is exchanged for a symlink leads elsewhere.
 *
 * @throws IsyncError FILE_CHANGED where something has come or changed, or Node's error; the rest is there then
 */
export async function removeDirectory({ path, lastCtimeMs, checkOn, beforeMarker }: Removal): Promise<void> {
  const fd = openSync(path, FOLDER_FLAGS);
  try {
    const removing = new Removing(fstatSync(fd).dev, lastCtimeMs, checkOn);
    checkOn();
    await removing.empty(fd, path, (name) => name === WATCH_MARKER);
    await beforeMarker?.();
    await removing.empty(fd, path, () => false);
  } finally {
    closeSync(fd);
  }
  rmdirSync(path);
}

class Removing {
  readonly #device: number;
  readonly #lastCtimeMs: number;
  readonly #checkOn: () => void;
  /** Inodes of which we have removed a name: that has changed their ctime. */
  readonly #linked = new Set<number>();
  #sliceEnd = performance.now() + SLICE_MS;

  constructor(device: number, lastCtimeMs: number, checkOn: () => void) {
    this.#device = device;
    this.#lastCtimeMs = lastCtimeMs;
    this.#checkOn = checkOn;
  }

  /** Some file systems leave out entries of a folder that is read while others are removed: it is read until nothing goes. */
  async empty(fd: number, path: string, stays: (name: string) => boolean): Promise<void> {
    const folder = placeOf(fd, path);
    let removed: number;
    do removed = await this.#pass(folder, stays);
    while (removed > 0);
  }

  async #pass(folder: string, stays: (name: string) => boolean): Promise<number> {
    let removed = 0;
    const handle = new FolderHandle(folder);
    try {
      for (let entry = handle.read(); entry !== undefined; entry = handle.read()) {
        const name = decodeName(entry.name);
        // The last look would have found one that is not UTF-8.
        if (name === undefined) throw changed(folder);
        if (stays(name)) continue;
        if (await this.#removeEntry(`${folder}/${name}`)) removed++;
        await this.#breathe();
      }
    } finally {
      handle.close();
    }
    return removed;
  }

  /** Returns false where it is gone already. */
  async #removeEntry(path: string): Promise<boolean> {
    const stats = lstatSync(path, { throwIfNoEntry: false });
    if (stats === undefined) return false;
    this.#check(path, stats);
    if (stats.isFile()) {
      unlinkSync(path);
      if (stats.nlink > 1) this.#linked.add(stats.ino);
      return true;
    }
    if (!stats.isDirectory()) throw changed(path);
    const fd = openSync(path, FOLDER_FLAGS);
    try {
      const opened = fstatSync(fd);
      if (opened.ino !== stats.ino) throw changed(path);
      this.#check(path, opened);
      await this.empty(fd, path, () => false);
    } finally {
      closeSync(fd);
    }
    rmdirSync(path);
    return true;
  }

  #check(path: string, { dev, ino, mtimeMs, ctimeMs }: Stats): void {
    const latest = this.#linked.has(ino) ? mtimeMs : ctimeMs;
    if (dev !== this.#device || latest > this.#lastCtimeMs) throw changed(path);
  }

  async #breathe(): Promise<void> {
    if (performance.now() < this.#sliceEnd) return;
    await setImmediate();
    this.#checkOn();
    this.#sliceEnd = performance.now() + SLICE_MS;
  }
}

/** A path that leads to the open folder, whatever stands under its name by now; its name where there is no /proc. */
function placeOf(fd: number, path: string): string {
  const held = `/proc/self/fd/${fd}`;
  return existsSync(held) ? held : path;
}

function changed(path: string): IsyncError {
  const name = path.slice(path.lastIndexOf('/') + 1);
  return new IsyncError('FILE_CHANGED', `"${name}" has come or changed while the directory was removed`, {
    path,
  });
}
