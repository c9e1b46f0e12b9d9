import { errnoOf, IsyncError } from '../../model/isync-error.ts';

/**
 * Why a file of ours beside the archive can't be written. An IsyncError is told as it is.
 * @param what "the file list"
 */
export function writeFault(error: unknown, path: string, what: string): IsyncError {
  if (error instanceof IsyncError) return error;
  const errno = errnoOf(error);
  const code = errno === 'ENOSPC' || errno === 'EDQUOT' ? 'STORE_FULL' : 'STORE_FAILED';
  return new IsyncError(code, `${what} can't be written (${errno ?? String(error)})`, { path, cause: error });
}
