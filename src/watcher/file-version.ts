import { lstatSync, type Stats } from 'node:fs';

/** One state of one file. Its own mark or a chmod changes `ctimeMs` alone; a write changes `mtimeMs` as well. */
export interface FileVersion {
  readonly ino: number;
  /** Bytes. */
  readonly size: number;
  /** Milliseconds since the epoch with the fraction that Node gives (about 0.25 µs). */
  readonly mtimeMs: number;
  readonly ctimeMs: number;
}

export function versionOf({ ino, size, mtimeMs, ctimeMs }: Stats): FileVersion {
  return { ino, size, mtimeMs, ctimeMs };
}

/** Same file, same content as far as lstat(2) tells; mode and owner may differ. */
export function sameContent(a: FileVersion, b: FileVersion): boolean {
  return a.ino === b.ino && a.size === b.size && a.mtimeMs === b.mtimeMs;
}

/** Nothing at all happened between the two, not even a chmod. */
export function sameState(a: FileVersion, b: FileVersion): boolean {
  return sameContent(a, b) && a.ctimeMs === b.ctimeMs;
}

/**
 * Returns what is at the absolute `path` now; undefined where it can't be looked at. Synchronous: a look at a file that was
 * just written costs microseconds, a promise for it many times that.
 */
export function look(path: string): Stats | undefined {
  try {
    return lstatSync(path, { throwIfNoEntry: false });
  } catch {
    // ENOTDIR, EACCES, ELOOP: the path can't be looked at. The listing meets the same error and reports it.
    return undefined;
  }
}

/** Without statx(2) Node gives the ctime as birthtime, which moves with every change inside a folder. */
const HAS_BIRTHTIME = ['/', process.execPath].some((path) => {
  const stats = look(path);
  return stats !== undefined && stats.birthtimeMs !== stats.ctimeMs;
});

/** Whether both are one folder, or both nothing; inodes are used again at once, so they alone don't tell. */
export function isSameFolder(before: Stats | undefined, now: Stats | undefined): boolean {
  if (before === undefined || now === undefined) return before === now;
  const madeAnew = HAS_BIRTHTIME && now.birthtimeMs !== before.birthtimeMs;
  return now.isDirectory() && now.ino === before.ino && now.dev === before.dev && !madeAnew;
}
