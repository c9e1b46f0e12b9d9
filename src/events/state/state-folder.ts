import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { errnoOf, IsyncError } from '../../model/isync-error.ts';
import { syncFolder } from '../../model/sync-folder.ts';

/**
 * Makes a folder of the state where it is missing, for its owner alone and durable. The one above it must be there.
 * @throws IsyncError STORE_MISSING, STORE_FULL or STORE_FAILED
 */
export async function ensureFolder(path: string): Promise<void> {
  try {
    await mkdir(path, 0o700);
    await syncFolder(dirname(path));
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
