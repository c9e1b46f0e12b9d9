import { readFileSync } from 'node:fs';
import { errnoOf, IsyncError } from '../model/isync-error.ts';

/**
 * Reads a small file that a setting names; an error calls the file `what`.
 * @throws IsyncError CONFIG_INVALID
 */
export function readText(path: string, what: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const errno = errnoOf(error);
    const why = errno === 'ENOENT' ? 'is not there' : `can't be read (${errno ?? String(error)})`;
    throw new IsyncError('CONFIG_INVALID', `${what} ${why}`, { path, cause: error });
  }
}
