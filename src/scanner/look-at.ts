import { lstatSync, type Stats } from 'node:fs';
import { errnoOf } from '../model/isync-error.ts';
import { isMarked } from './is-marked.ts';

/** Most looks at a file whose times change from one look to the next, as while somebody runs chmod in a loop. */
const MAX_LOOKS = 10;

/**
 * lstat(2), synchronous: a promise costs several times the call. Undefined where nothing is (any more).
 * Throws Node's error for everything else.
 *
 * A mark is believed only when two looks agree. The kernel reads the times of an inode one after the other without
 * a lock: during a write one look in some 10,000 tells the old mtime beside the new ctime, as if a chmod had been the last
 * change. The ctime of each such look is that of another write, so two are alike only where a writer has lost its processor
 * in between the two stamps.
 *
 * @param isOwnMark whether the mark that is seen was set here, so that one look tells as much
 */
export function lookAt(path: string | Buffer, isOwnMark?: (stats: Stats) => boolean): Stats | undefined {
  let stats = lookOnce(path);
  if (stats !== undefined && isOwnMark?.(stats) === true) return stats;
  for (let looks = 1; stats !== undefined && isMarked(stats) && looks < MAX_LOOKS; looks++) {
    const again = lookOnce(path);
    if (again?.mtimeMs === stats.mtimeMs && again.ctimeMs === stats.ctimeMs) return again;
    stats = again;
  }
  return stats;
}

/** One lstat(2), torn or not. */
export function lookOnce(path: string | Buffer): Stats | undefined {
  try {
    return lstatSync(path, { throwIfNoEntry: false });
  } catch (error) {
    if (isAbsence(error)) return undefined;
    throw error;
  }
}

/** There is nothing under that path, or a file where a folder above it was. */
export function isAbsence(error: unknown): boolean {
  const errno = errnoOf(error);
  return errno === 'ENOENT' || errno === 'ENOTDIR';
}
