import { errnoOf, IsyncError } from '../../model/isync-error.ts';

/** What fails for want of something of the machine would fail for every file that follows: no backup is made of what is left. */
const MACHINE = new Set(['EMFILE', 'ENFILE', 'ENOMEM']);

/** A member can't be read, so the backup goes on without it. Thrown of the disk that is read alone, never of where the archive goes. */
export class LeftOut extends Error {
  /** Undefined: it went away meanwhile, which is no problem. */
  readonly problem: IsyncError | undefined;

  constructor(error: unknown, path: string) {
    super('a member is left out', { cause: error });
    this.name = 'LeftOut';
    if (errnoOf(error) !== 'ENOENT') this.problem = readFault(error, path);
  }
}

/**
 * What `look` returns.
 * @throws LeftOut where it throws; IsyncError SOURCE_FAILED where nothing else could be read either
 */
export function looking<T>(path: string, look: () => T): T {
  try {
    return look();
  } catch (error) {
    throwOfMachine(error);
    throw new LeftOut(error, path);
  }
}

/** @throws IsyncError SOURCE_FAILED where the machine, not the file, is the reason */
export function throwOfMachine(error: unknown): void {
  const errno = errnoOf(error);
  if (errno === undefined || !MACHINE.has(errno)) return;
  throw new IsyncError('SOURCE_FAILED', `no file can be read any more (${errno})`, {
    hint: 'Give the process more memory and open files (ulimit -n, LimitNOFILE=).',
    cause: error,
  });
}

/** Why a member can't be read. */
export function readFault(error: unknown, path: string): IsyncError {
  if (error instanceof IsyncError) return error;
  const errno = errnoOf(error);
  // ELOOP: a symlink where a file was; EINVAL: no symlink where one was.
  if (errno === 'ELOOP' || errno === 'EINVAL')
    return new IsyncError('FILE_CHANGED', 'something else has taken its place', { path, cause: error });
  return new IsyncError('FILE_UNREADABLE', `it can't be read (${errno ?? String(error)})`, {
    path,
    cause: error,
  });
}
