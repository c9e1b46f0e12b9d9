import { mkdir, realpath, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { isWithin } from '../model/is-within.ts';
import { errnoOf, IsyncError } from '../model/isync-error.ts';
import { syncFolder } from '../model/sync-folder.ts';
import { openFileStore } from '../store/file/file-store.ts';
import type { LocalStore } from '../store/file/local-store.ts';
import { removeUnused } from '../store/file/staging-area.ts';
import { storeError } from '../store/file/system-errors.ts';

export interface DestinationOptions {
  /** Whether a file takes the place of what has its name. */
  readonly overwrite: boolean;
  /** The folder of the store that is read, which must not get files of its own; undefined where it is no folder. */
  readonly source: string | undefined;
}

/** The folder that files are brought to. */
export interface Destination extends AsyncDisposable {
  readonly store: LocalStore;
}

/**
 * Opens the folder at the absolute path, and makes it where only its last segment is missing. It is a store in that what is published
 * there is staged, checked, durable, and never outside of it, whatever symlinks are there. What is under way is in its folder
 * `.isync`, which goes with the last of it.
 * @throws IsyncError PATH_CONFLICT where folder and source are not apart; STORE_MISSING, STORE_FAILED
 */
export async function openDestination(
  path: string,
  { overwrite, source }: DestinationOptions,
): Promise<Destination> {
  if (source !== undefined) await checkApart(path, source);
  await makeLast(path);
  const real = await realpath(path);
  const store = await openFileStore(real, {
    onlyNew: !overwrite,
    oneQueue: true,
    readsDirectly: true,
    direct: true,
  });
  return {
    store,
    async [Symbol.asyncDispose]() {
      await store[Symbol.asyncDispose]();
      await removeUnused(real);
    },
  };
}

async function checkApart(path: string, source: string): Promise<void> {
  const store = await realpath(source);
  const into = await realpath(path).catch(async () => await wouldBe(path));
  if (isWithin(into, store))
    throw new IsyncError('PATH_CONFLICT', 'the folder lies within the store that is read', {
      path,
      hint: 'What is fetched would be taken for files of a device: choose a folder elsewhere.',
    });
  if (isWithin(store, into))
    throw new IsyncError('PATH_CONFLICT', 'the store that is read lies within the folder', {
      path,
      hint: 'What is fetched could have the names that lead into the store: choose a folder elsewhere.',
    });
}

/** The real path that a folder has once it is made. */
async function wouldBe(path: string): Promise<string> {
  const above = dirname(path);
  return join(await realpath(above).catch(() => above), basename(path));
}

async function makeLast(path: string): Promise<void> {
  try {
    if ((await stat(path)).isDirectory()) return;
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw storeError(error, path);
    await make(path);
    return;
  }
  throw new IsyncError('PATH_CONFLICT', 'this is not a folder', { path });
}

async function make(path: string): Promise<void> {
  try {
    await mkdir(path);
    await syncFolder(dirname(path));
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') return;
    if (errnoOf(error) !== 'ENOENT') throw storeError(error, path);
    throw new IsyncError('STORE_MISSING', 'the folder above is not there', {
      path,
      hint: `Mount its disk, or make it with: mkdir -p ${dirname(path)}`,
      cause: error,
    });
  }
}
