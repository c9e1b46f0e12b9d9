import { IsyncError } from '../model/isync-error.ts';

/** What a question about one store is answered with where another one is at the target. */
export function otherStore(): IsyncError {
  return new IsyncError('OTHER_STORE', 'another store is at the target than the one that has confirmed the files');
}
