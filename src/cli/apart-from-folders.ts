import { readdir } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import type { PullConfig } from '../config/schemas/pull.ts';
import { errnoOf, IsyncError } from '../model/isync-error.ts';
import { isWithin } from '../model/is-within.ts';
import { realPlace } from './real-place.ts';

/**
 * Refuses a mapped folder that holds the state or the config file, which an object could replace, and one inside the state.
 * The config has been checked by its text; here symlinks are followed.
 * @throws IsyncError CONFIG_INVALID
 */
export async function checkApart(
  { sync, state }: Pick<PullConfig, 'sync' | 'state'>,
  configFile: string | undefined,
): Promise<void> {
  const config = configFile === undefined ? [] : await placesOf(resolve(configFile));
  const states = await placesOf(state);
  const linked = await linkedFrom(state);
  for (const path of new Set(sync.map(({ folder }) => folder))) {
    const real = await realPlace(path);
    const isApart =
      !states.some((place) => isWithin(place, real) || isWithin(real, place)) &&
      !linked.some((place) => isWithin(place, real));
    if (!isApart) throw notApart(`the state ${state} and the mapped folder must be apart`, path, 'state');
    if (config.some((place) => isWithin(place, real)))
      throw notApart(
        `the config file ${resolve(configFile ?? '')} lies in the mapped folder`,
        path,
        'config',
      );
  }
}

function notApart(message: string, path: string, what: 'state' | 'config'): IsyncError {
  return new IsyncError('CONFIG_INVALID', message, {
    path,
    hint: `An object could replace the ${what}. Put it elsewhere; symlinks are followed here.`,
  });
}

/** Where the symlinks in the folder `state` lead: files of the state may have been moved behind one. */
async function linkedFrom(state: string): Promise<readonly string[]> {
  try {
    const links = (await readdir(state, { withFileTypes: true })).filter((entry) => entry.isSymbolicLink());
    return await Promise.all(links.map(async ({ name }) => await realPlace(join(state, name))));
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
    // It is yet to be made, or opening it fails.
    return [];
  }
}

/** Where a path leads, and where its name lies: what replaces either replaces it. */
async function placesOf(path: string): Promise<readonly string[]> {
  return [await realPlace(path), join(await realPlace(dirname(path)), basename(path))];
}
