import { closeSync, constants, fstatSync, openSync, readFileSync, readSync } from 'node:fs';
import { errnoOf, IsyncError } from '../model/isync-error.ts';

/**
 * Reads a small file that a setting names; an error calls the file `what`.
 * @throws IsyncError CONFIG_INVALID
 */
export function readText(path: string, what: string): string {
  return reading(path, what, () => readFileSync(path, 'utf8'));
}

/** Longest secret in bytes: a token has some dozens, and a key of an account some thousands. */
const MAX_SECRET_BYTES = 64 * 1024;

/**
 * Reads the file of a secret, which must be a regular one: a pipe may never end, and a device never does.
 * @throws IsyncError CONFIG_INVALID
 */
export function readSecretText(path: string, what: string): string {
  const bytes = reading(path, what, () => readRegular(path));
  if (bytes === undefined) throw new IsyncError('CONFIG_INVALID', `${what} is no regular file`, { path });
  if (bytes.length > MAX_SECRET_BYTES)
    throw new IsyncError('CONFIG_INVALID', `${what} is too large; the most is ${MAX_SECRET_BYTES} bytes`, {
      path,
    });
  return bytes.toString('utf8');
}

/** Returns what a regular file holds, up to a byte more than a secret may have; undefined for any other. */
function readRegular(path: string): Buffer | undefined {
  // Without O_NONBLOCK, opening a pipe waits for who writes to it.
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    if (!fstatSync(fd).isFile()) return undefined;
    const bytes = Buffer.alloc(MAX_SECRET_BYTES + 1);
    let length = 0;
    for (let read = -1; read !== 0 && length < bytes.length; length += read)
      read = readSync(fd, bytes, length, bytes.length - length, null);
    return bytes.subarray(0, length);
  } finally {
    closeSync(fd);
  }
}

function reading<T>(path: string, what: string, read: () => T): T {
  try {
    return read();
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
