import { type ErrorCode, errnoOf, IsyncError } from '../../model/isync-error.ts';

const FOR_A_PERSON = 'Files are tried again until somebody has mended it.';
const NOT_PERMITTED = `The user isync runs as must be allowed to write everywhere below the store. ${FOR_A_PERSON}`;

const FULL = [
  'the store is full',
  'Free some space or raise the quota; what waits for it goes on by itself.',
] as const;

/** What an errno means to users of the store. All others are STORE_FAILED without a hint. */
const MEANINGS: Readonly<Record<string, { code: ErrorCode; message: string; hint?: string }>> = {
  ENOSPC: { code: 'STORE_FULL', message: FULL[0], hint: FULL[1] },
  EDQUOT: { code: 'STORE_FULL', message: FULL[0], hint: FULL[1] },
  ENOTDIR: { code: 'PATH_CONFLICT', message: 'a file is where a folder is needed' },
  EISDIR: { code: 'PATH_CONFLICT', message: 'a folder is in the way' },
  EEXIST: { code: 'PATH_CONFLICT', message: 'something else is in the way' },
  ENOTEMPTY: { code: 'PATH_CONFLICT', message: 'a folder is in the way' },
  ELOOP: { code: 'PATH_CONFLICT', message: 'a symlink is in the way' },
  ENAMETOOLONG: { code: 'BAD_PATH', message: 'the path is too long for the file system of the store' },
  EILSEQ: { code: 'BAD_PATH', message: 'the file system of the store does not take this name' },
  EINVAL: { code: 'BAD_PATH', message: 'the file system of the store does not take this name' },
  EFBIG: { code: 'FILE_TOO_LARGE', message: 'larger than the file system of the store can hold' },
  EACCES: { code: 'STORE_FAILED', message: 'not permitted to write the store', hint: NOT_PERMITTED },
  EPERM: { code: 'STORE_FAILED', message: 'not permitted to write the store', hint: NOT_PERMITTED },
  EROFS: {
    code: 'STORE_FAILED',
    message: 'the store is read-only',
    hint: `Mount it writable; file systems turn read-only after I/O errors. ${FOR_A_PERSON}`,
  },
  EIO: {
    code: 'STORE_FAILED',
    message: 'the disk of the store reports an I/O error',
    hint: `See the kernel log. ${FOR_A_PERSON}`,
  },
  EXDEV: {
    code: 'STORE_FAILED',
    message: 'another file system is mounted inside the store',
    hint: 'Files can be published atomically only within one file system: mount it elsewhere, or make it the store.',
  },
  EMFILE: {
    code: 'STORE_FAILED',
    message: 'too many open files',
    hint: 'Raise the limit of open files (ulimit -n, LimitNOFILE=).',
  },
};

/**
 * `error` as the IsyncError that the store's callers get. STORE_FULL and STORE_FAILED are retryable: somebody can
 * mend the server while the files wait. An error that no system call reports is a fault of ours: INTERNAL.
 */
export function storeError(error: unknown, path: string): IsyncError {
  if (error instanceof IsyncError) return error;
  const text = error instanceof Error ? error.message : String(error);
  const errno = error instanceof Error && 'syscall' in error ? errnoOf(error) : undefined;
  if (errno === undefined) return new IsyncError('INTERNAL', text, { path, cause: error });
  const { code, message, hint } = MEANINGS[errno] ?? { code: 'STORE_FAILED', message: 'the store fails' };
  return new IsyncError(code, `${message} (${text})`, {
    path,
    cause: error,
    hint,
  });
}

/** Errors of a system call that other folders need not have: permissions, and what the disk can't read or finds damaged. */
const OF_FOLDER: ReadonlySet<string> = new Set(['EACCES', 'EPERM', 'EIO', 'EUCLEAN', 'EBADMSG']);

/** The error of a folder alone that can't be read; undefined for any other error. */
export function unreadableFolder(error: unknown, path: string): IsyncError | undefined {
  if (!(error instanceof Error) || !('syscall' in error) || !OF_FOLDER.has(errnoOf(error) ?? ''))
    return undefined;
  return new IsyncError('FILE_UNREADABLE', `the folder can't be read (${error.message})`, {
    path,
    hint: 'Run isync as a user that may read all of the store; after an I/O error see the kernel log.',
    cause: error,
  });
}

/** The result of `look`; undefined when it fails because nothing can be at that path. */
export async function unlessAbsent<T>(look: () => Promise<T>): Promise<T | undefined> {
  try {
    return await look();
  } catch (error) {
    if (ABSENT.has(errnoOf(error) ?? '')) return undefined;
    throw error;
  }
}

/** The same, synchronous. */
export function unlessAbsentSync<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch (error) {
    if (ABSENT.has(errnoOf(error) ?? '')) return undefined;
    throw error;
  }
}

/** ENOTDIR: a folder above is none. ELOOP: O_NOFOLLOW met a symlink. ENAMETOOLONG: no such name can exist here. */
const ABSENT: ReadonlySet<string> = new Set(['ENOENT', 'ENOTDIR', 'ELOOP', 'ENAMETOOLONG']);
