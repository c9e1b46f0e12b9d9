import { errnoOf, IsyncError, toIsyncError } from '../../model/isync-error.ts';

/** A file of ours beside the archive can't be written. `what`: "the file list". */
export function writeFault(error: unknown, path: string, what: string): IsyncError {
  const errno = errnoOf(error);
  const isFull = errno === 'ENOSPC' || errno === 'EDQUOT';
  return toIsyncError(
    errno === undefined
      ? error
      : new IsyncError(isFull ? 'STORE_FULL' : 'STORE_FAILED', `${what} can't be written (${errno})`, {
          path,
          cause: error,
        }),
    'INTERNAL',
  );
}
