import { lstatSync, type Stats } from 'node:fs';

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
