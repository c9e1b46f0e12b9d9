import { readlink, realpath } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { errnoOf } from '../model/isync-error.ts';

/**
 * The real path of what is there, or would be made there: a symlink to what is not there yet, such as a disk that is not mounted, is
 * followed as well. What can't be looked at stays as it is named: opening it fails.
 */
export async function realPlace(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === undefined || path === dirname(path)) throw error;
    const folder = await realPlace(dirname(path));
    // Links that lead to each other have no end.
    const leads = errno === 'ELOOP' ? undefined : await leadsTo(path);
    return leads === undefined ? join(folder, basename(path)) : await realPlace(resolve(folder, leads));
  }
}

/** What a symlink says; undefined where there is none, or it can't be read. */
async function leadsTo(path: string): Promise<string | undefined> {
  try {
    return await readlink(path);
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
    return undefined;
  }
}
