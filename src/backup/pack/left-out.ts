import { errnoOf, IsyncError } from '../../model/isync-error.ts';

/** A member can't be read, so the backup goes on without it. Thrown of the disk that is read alone, never of where the archive goes. */
export class LeftOut extends Error {
  /** Undefined: it went away meanwhile, which is no problem. */
  readonly problem: IsyncError | undefined;

  constructor(error: unknown, path: string) {
    super('a member is left out', { cause: error });
    this.name = 'LeftOut';
    const errno = errnoOf(error);
    if (errno === 'ENOENT') return;
    this.problem = faultOf(error, errno, path);
  }
}

function faultOf(error: unknown, errno: string | undefined, path: string): IsyncError {
  if (error instanceof IsyncError) return error;
  // ELOOP: a symlink where a file was; EINVAL: no symlink where one was.
  if (errno === 'ELOOP' || errno === 'EINVAL')
    return new IsyncError('FILE_CHANGED', 'something else has taken its place', { path, cause: error });
  return new IsyncError('FILE_UNREADABLE', `it can't be read (${errno ?? String(error)})`, {
    path,
    cause: error,
  });
}

/** What `look` returns. @throws LeftOut where it throws */
export function looking<T>(path: string, look: () => T): T {
  try {
    return look();
  } catch (error) {
    throw new LeftOut(error, path);
  }
}
