import { lstatSync, mkdirSync, statfsSync } from 'node:fs';
import { rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf, IsyncError } from '../../model/isync-error.ts';
import { OWN_FOLDER } from '../../model/own-folder.ts';
import { nameForThisProcess } from './process-identity.ts';

/** `f_type` of statfs(2). */
const TMPFS = 0x01021994;

/**
 * The folders in which files are before they are published, on the file system of the published ones, so that a rename
 * publishes:
 *
 *     STORE/.isync/store-id         tells the store from all others, see store-id.ts
 *     STORE/.isync/notes/           what those who use the store keep in it, see store-notes.ts
 *     STORE/.isync/locks/           locks of those that send without a receiver, see device-lock.ts
 *     STORE/.isync/staging/parts/   unfinished uploads that nobody has open
 *     STORE/.isync/staging/OWNER/   files that one process has open, see process-identity.ts
 *
 * A process claims an upload by renaming it from `parts` into its own folder: of several processes only one succeeds, so
 * no two ever write to one file. The name of a folder tells which process has left it behind.
 */
export class StagingArea {
  readonly #root: string;
  readonly #device: number;
  readonly #inode: number;
  /** The store's own folder, which holds all others here. */
  readonly folder: string;
  readonly all: string;
  readonly parts: string;
  /** The folder of this process. */
  readonly own: string;
  readonly ownName = nameForThisProcess();
  /** On a tmpfs fsync(2) does nothing, so that it is quicker done than handed to another thread. */
  readonly isInMemory: boolean;

  constructor(root: string) {
    this.#root = root;
    const { dev, ino } = lstatSync(root);
    this.#device = dev;
    this.#inode = ino;
    this.isInMemory = process.platform === 'linux' && statfsSync(root).type === TMPFS;
    this.folder = join(root, OWN_FOLDER);
    this.all = join(this.folder, 'staging');
    this.parts = join(this.all, 'parts');
    this.own = join(this.all, this.ownName);
  }

  /** Makes the folders that are missing: at first use, and when somebody has removed them while we run. */
  make(): void {
    const root = lstatSync(this.#root, { throwIfNoEntry: false });
    // An unmounted disk leaves an empty folder: nothing may be written to the disk below.
    if (root?.ino !== this.#inode || root.dev !== this.#device)
      throw new IsyncError('STORE_MISSING', 'the store is no longer there', {
        path: this.#root,
        retryable: true,
        hint: 'Mount it again, then start isync again.',
      });
    for (const path of [this.folder, this.all, this.parts, this.own]) makePrivateFolder(path);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await rmdir(this.own);
    } catch {
      // Gone already, or something could not be removed from it: another process collects it.
    }
  }
}

/** Removes the store's own folders below `root` where nothing is in them any more. Never rejects. */
export async function removeUnused(root: string): Promise<void> {
  const all = join(root, OWN_FOLDER, 'staging');
  for (const path of [join(all, 'parts'), all, join(root, OWN_FOLDER)])
    try {
      await rmdir(path);
    } catch {
      return; // In use, or not there: it does no harm.
    }
}

/** Makes a folder that no other user may look into: its content has not been checked yet. */
function makePrivateFolder(path: string): void {
  try {
    mkdirSync(path, 0o700);
    return;
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw error;
  }
  if (lstatSync(path).isDirectory()) return;
  throw new IsyncError('PATH_CONFLICT', 'this must be a folder', {
    path,
    hint: 'isync keeps unfinished files in it: remove what is there.',
  });
}
