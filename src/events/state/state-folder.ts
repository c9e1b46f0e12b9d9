import { closeSync, constants, fsyncSync, mkdirSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import { errnoOf, IsyncError } from '../../model/isync-error.ts';

/**
 * Makes a folder of the state where it is missing, for its owner alone and durable. The one above it must be there.
 * @throws IsyncError STORE_MISSING, STORE_FULL or STORE_FAILED
 */
export function ensureFolder(path: string): void {
  try {
    mkdirSync(path, 0o700);
    syncFolder(dirname(path));
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === 'EEXIST') return;
    const details = { path, cause: error };
    if (errno === 'ENOENT' || errno === 'ENOTDIR')
      throw new IsyncError('STORE_MISSING', 'the folder above that of the state is not there', {
        ...details,
        hint: `Make it with: mkdir -p ${dirname(path)}`,
      });
    const code = errno === 'ENOSPC' || errno === 'EDQUOT' ? 'STORE_FULL' : 'STORE_FAILED';
    throw new IsyncError(code, `the folder of the state can't be made (${errno ?? String(error)})`, details);
  }
}

/** Makes the names in a folder durable. */
export function syncFolder(path: string): void {
  const fd = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    fsyncSync(fd);
  } catch (error) {
    // The answer of file systems (some FUSE and network ones) that have no such thing as syncing a folder.
    const errno = errnoOf(error);
    if (errno !== 'EINVAL' && errno !== 'ENOTSUP') throw error;
  } finally {
    closeSync(fd);
  }
}
