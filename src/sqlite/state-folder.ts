import { mkdir, realpath, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { errnoOf, IsyncError } from '../model/isync-error.ts';
import { syncFolder } from '../model/sync-folder.ts';

/**
 * Makes a folder of the state where it is missing, for its owner alone and durable. The one above it must be there. Either may be
 * a symlink to a folder.
 * @throws IsyncError STORE_MISSING, STORE_FULL or STORE_FAILED
 */
export async function ensureFolder(path: string): Promise<void> {
  try {
    await mkdir(path, 0o700);
    await syncNames(dirname(path));
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === 'EEXIST') return await checkFolder(path);
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

/** Makes the names in a folder of the state durable, wherever a symlink has put it. */
export async function syncNames(folder: string): Promise<void> {
  await syncFolder(await realpath(folder));
}

/** @throws IsyncError STORE_MISSING where something else is there, or a symlink that leads nowhere */
async function checkFolder(path: string): Promise<void> {
  const found = await stat(path).catch((error: unknown) => errnoOf(error) ?? String(error));
  if (typeof found === 'object' && found.isDirectory()) return;
  const why = typeof found === 'object' ? 'is no folder' : `leads to no folder (${found})`;
  throw new IsyncError('STORE_MISSING', `what is in the place of the state's folder ${why}`, {
    path,
    hint: 'Choose another folder with "state", or make the one that the symlink leads to.',
  });
}
