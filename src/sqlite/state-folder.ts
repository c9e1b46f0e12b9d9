import { constants } from 'node:fs';
import { access, lstat, mkdir, realpath, stat } from 'node:fs/promises';
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
    throw cantBeMade(path, error);
  }
}

/**
 * Looks whether {@link ensureFolder} would do, and writes nothing.
 * @throws IsyncError as it does; STORE_FAILED where the folder is there and can't be written to
 */
export async function checkCanBeMade(path: string): Promise<void> {
  const found = await lstat(path).catch((error: unknown) => {
    if (errnoOf(error) !== 'ENOENT') throw cantBeMade(path, error);
  });
  if (found !== undefined) await checkFolder(path);
  try {
    await access(found === undefined ? dirname(path) : path, constants.W_OK | constants.X_OK);
  } catch (error) {
    throw found === undefined ? cantBeMade(path, error) : notPermitted(path, error);
  }
}

function cantBeMade(path: string, cause: unknown): IsyncError {
  const errno = errnoOf(cause);
  if (errno === 'ENOENT' || errno === 'ENOTDIR')
    return new IsyncError('STORE_MISSING', 'the folder above that of the state is not there', {
      path,
      cause,
      hint: `Make it with: mkdir -p ${dirname(path)}`,
    });
  const code = errno === 'ENOSPC' || errno === 'EDQUOT' ? 'STORE_FULL' : 'STORE_FAILED';
  const message = `the folder of the state can't be made (${errno ?? String(cause)})`;
  return new IsyncError(code, message, { path, cause });
}

function notPermitted(path: string, cause: unknown): IsyncError {
  const message = `the folder of the state can't be written to (${errnoOf(cause) ?? String(cause)})`;
  return new IsyncError('STORE_FAILED', message, {
    path,
    cause,
    hint: 'Let the user isync runs as write there, or choose another folder with "state".',
  });
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
