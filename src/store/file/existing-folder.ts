import { realpath, stat } from 'node:fs/promises';
import { errnoOf, IsyncError } from '../../model/isync-error.ts';
import { storeError } from './system-errors.ts';

/**
 * The real path of the folder at `path`.
 * @throws IsyncError STORE_MISSING or STORE_FAILED
 */
export async function existingFolder(path: string): Promise<string> {
  const hint = 'Make the folder, or mount its disk: isync does not make it, lest it fill the wrong disk.';
  try {
    if ((await stat(path)).isDirectory()) return await realpath(path);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT' && errnoOf(error) !== 'ENOTDIR') throw storeError(error, path);
    throw new IsyncError('STORE_MISSING', 'there is no such folder', { path, hint, cause: error });
  }
  throw new IsyncError('STORE_MISSING', 'this is not a folder', { path, hint });
}
