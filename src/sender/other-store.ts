import { IsyncError } from '../model/isync-error.ts';

/**
 * What a question about one store is answered with where another one is at the target.
 * @param path what that store has confirmed
 */
export function otherStore(path?: string): IsyncError {
  const what = path ?? 'these files';
  return new IsyncError(
    'OTHER_STORE',
    `another store than the one that has confirmed ${what} is at the target`,
    {
      path,
    },
  );
}
