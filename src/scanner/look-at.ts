import { lstatSync, type Stats } from 'node:fs';
import { errnoOf } from '../model/isync-error.ts';

/**
 * lstat(2), synchronous: a promise costs several times the call. Undefined where nothing is (any more).
 * Throws Node's error for everything else.
 */
export function lookAt(path: string | Buffer): Stats | undefined {
  try {
    return lstatSync(path, { throwIfNoEntry: false });
  } catch (error) {
    if (isAbsence(error)) return undefined;
    throw error;
  }
}

/** There is nothing under that path, or a file where a folder above it was. */
export function isAbsence(error: unknown): boolean {
  const errno = errnoOf(error);
  return errno === 'ENOENT' || errno === 'ENOTDIR';
}
