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
    throw new IsyncError('CONFIG_INVALID', `${what} ${why}`, { path, cause: error, hint: cureOf(errno) });
  }
}

function cureOf(errno: string | undefined): string | undefined {
  if (errno === 'ENOENT' || errno === 'ENOTDIR')
    return `Check its path; one that does not begin with "/" starts at ${process.cwd()}.`;
  if (errno === 'EISDIR') return 'This is a folder; give the path of a file in it.';
  if (errno === 'EACCES')
    return 'Let the user that isync runs as read it (chmod, chown), and enter the folders above it.';
  return undefined;
}
