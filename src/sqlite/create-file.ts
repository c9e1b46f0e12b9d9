import { chmodSync, closeSync, constants, openSync } from 'node:fs';
import { dirname } from 'node:path';
import { errnoOf, IsyncError } from '../model/isync-error.ts';
import { syncNames } from './state-folder.ts';

/**
 * Makes an empty file for its owner alone, durable. Not touched where it is there: to close a file drops all locks that this
 * process has on it.
 * @param name "state", "queue": of the file, for the message
 * @throws IsyncError STORE_FULL, STORE_FAILED
 */
export async function createFile(path: string, name: string): Promise<void> {
  try {
    closeSync(openSync(path, constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY, 0o600));
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') return;
    throw fileError(error, path, name);
  }
  try {
    chmodSync(path, 0o600);
    await syncNames(dirname(path));
  } catch (error) {
    throw fileError(error, path, name);
  }
}

function fileError(error: unknown, path: string, name: string): IsyncError {
  const errno = errnoOf(error);
  const code = errno === 'ENOSPC' || errno === 'EDQUOT' ? 'STORE_FULL' : 'STORE_FAILED';
  return new IsyncError(code, `the ${name} file can't be made (${errno ?? String(error)})`, {
    path,
    cause: error,
    ...((errno === 'EACCES' || errno === 'EPERM') && {
      hint: 'Let the user isync runs as write there, or choose another folder.',
    }),
  });
}
