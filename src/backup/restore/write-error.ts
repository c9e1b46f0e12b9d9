import { type ErrorCode, errnoOf, IsyncError } from '../../model/isync-error.ts';

/** What an errno means where a backup is restored to. All others are STORE_FAILED. */
const MEANINGS: Readonly<Record<string, readonly [ErrorCode, string]>> = {
  ENOSPC: ['STORE_FULL', 'there is no room left where it is restored to'],
  EDQUOT: ['STORE_FULL', 'the quota is used up where it is restored to'],
  EEXIST: ['PATH_CONFLICT', 'something is there already'],
  ENOTEMPTY: ['PATH_CONFLICT', 'something is there already'],
  EISDIR: ['PATH_CONFLICT', 'a folder is in the way'],
  ENOTDIR: ['PATH_CONFLICT', 'what should be a folder is none'],
  ELOOP: ['PATH_CONFLICT', 'a symlink is in the way'],
  ENAMETOOLONG: ['BAD_PATH', 'the file system does not take so long a name'],
  EILSEQ: ['BAD_PATH', 'the file system does not take this name'],
  EINVAL: ['BAD_PATH', 'the file system does not take this name'],
  EFBIG: ['FILE_TOO_LARGE', 'the file system does not take so large a file'],
};

/** An error of writing a restored member. Only STORE_FULL is of the whole disk. */
export function writeError(error: unknown, path: string): IsyncError {
  if (error instanceof IsyncError) return error;
  const errno = error instanceof Error && 'syscall' in error ? errnoOf(error) : undefined;
  const text = error instanceof Error ? error.message : String(error);
  if (errno === undefined) return new IsyncError('INTERNAL', text, { path, cause: error });
  const [code, message] = MEANINGS[errno] ?? (['STORE_FAILED', "it can't be written"] as const);
  return new IsyncError(code, `${message} (${errno})`, { path, cause: error, retryable: false });
}
