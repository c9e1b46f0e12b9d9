import { errnoOf, IsyncError } from '../../model/isync-error.ts';

/** What a system call for the spool has failed with, in words. */
export function spoolError(error: unknown, folder: string): IsyncError {
  if (error instanceof IsyncError) return error;
  const errno = errnoOf(error);
  const words = error instanceof Error ? error.message : String(error);
  if (errno === 'ENOSPC' || errno === 'EDQUOT')
    return new IsyncError('STORE_FULL', `no space left for bodies that are coming: ${folder} (${words})`, {
      path: folder,
      hint: 'Make room, name another folder for the spool, or let it hold less.',
      cause: error,
    });
  return new IsyncError('STORE_FAILED', `the spool can not be used: ${folder} (${words})`, {
    path: folder,
    hint: 'The folder of the spool must be one that isync may write to.',
    cause: error,
  });
}

/** For a body that has come further than its room. */
export function noRoom(folder: string): IsyncError {
  return new IsyncError('STORE_FULL', 'the spool has no room for the rest of a body of unknown length', {
    path: folder,
    hint: 'Let the spool hold more.',
  });
}

export function tooLong(limit: number): IsyncError {
  return new IsyncError('FILE_TOO_LARGE', `the body is longer than ${limit} bytes`);
}
