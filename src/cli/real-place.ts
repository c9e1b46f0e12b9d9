import { realpath } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { errnoOf } from '../model/isync-error.ts';

/** The real path of what is there, or would be made there. What can't be looked at stays as it is named: opening it fails. */
export async function realPlace(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    if (errnoOf(error) === undefined || path === dirname(path)) throw error;
    return join(await realPlace(dirname(path)), basename(path));
  }
}
