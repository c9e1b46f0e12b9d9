import { lchownSync, lstatSync, mkdirSync, rmdirSync, unlinkSync } from 'node:fs';
import { errnoOf, IsyncError } from '../../model/isync-error.ts';
import type { OwnerIds } from '../../model/owner-ids.ts';
import type { RelPath } from '../../model/rel-path.ts';
import { lstatAt } from './read-folder.ts';
import { storeError, unlessAbsentSync } from './system-errors.ts';

/** What link(2) ends with where a file can have no second name. */
export const NO_HARD_LINKS: ReadonlySet<string> = new Set(['EPERM', 'ENOTSUP', 'ENOSYS', 'EMLINK']);

/** What is done to one folder or file by its path. */

/**
 * The identity of the folder at `path`; undefined where nothing is.
 * @throws IsyncError PATH_CONFLICT where something else is
 */
export function lookAtFolder(path: string, directory: RelPath): string | undefined {
  let found;
  try {
    found = lstatSync(path, { throwIfNoEntry: false });
  } catch (error) {
    throw storeError(error, directory);
  }
  if (found === undefined) return undefined;
  // The inode of a folder that was removed is soon used again.
  if (found.isDirectory()) return `${found.dev} ${found.ino} ${found.birthtimeMs}`;
  const what = found.isSymbolicLink() ? 'a symlink' : 'a file';
  throw new IsyncError('PATH_CONFLICT', `${what} is where a folder is needed`, { path: directory });
}

/** Makes a folder, unless another process is quicker, and tells its identity. */
export function makeFolder(path: string, directory: RelPath, owner: OwnerIds | undefined): string {
  try {
    mkdirSync(path);
    if (owner !== undefined) lchownSync(path, owner.uid, owner.gid);
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw storeError(error, directory);
  }
  const made = lookAtFolder(path, directory);
  if (made !== undefined) return made;
  const message = 'the folder was removed as it was made';
  const cause = Object.assign(new Error(message), { code: 'ENOENT' });
  throw new IsyncError('STORE_FAILED', message, { path: directory, retryable: true, cause });
}

/** Whether something on the way is not there any more. */
export function isVanished(error: unknown): boolean {
  return errnoOf(error instanceof IsyncError ? error.cause : error) === 'ENOENT';
}

export function removeFile(path: string): void {
  if (lstatAt(path)?.isFile() === true) unlessAbsentSync(() => unlinkSync(path));
}

/** Whether there is no folder at `path` any more. */
export function removeIfEmpty(path: string): boolean {
  try {
    unlessAbsentSync(() => rmdirSync(path));
    return true;
  } catch (error) {
    // EBUSY: another file system is mounted there.
    const errno = errnoOf(error);
    if (errno === 'ENOTEMPTY' || errno === 'EEXIST' || errno === 'EBUSY') return false;
    throw error;
  }
}
