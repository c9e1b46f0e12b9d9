import { type FileEntry, toMicroseconds } from '../../model/file-entry.ts';
import type { RelPath } from '../../model/rel-path.ts';
import { Breath } from './breath.ts';
import { inRealFolders, statPublished } from './published.ts';
import { lstatAt, readFolder } from './read-folder.ts';

/** Where fsck puts what it finds, at the top of a file system; nobody but root may read it. */
const LOST_AND_FOUND = 'lost+found';

export interface ListFilesOptions {
  /** Tells what to leave out. */
  readonly skip: (path: RelPath) => boolean;
  /** Throws to end it early. */
  readonly checkGoesOn: () => void;
  /** Whether the rest of a folder below `prefix` is left out after this error; else the listing ends with it. */
  readonly leavesOut: (folder: RelPath, error: unknown) => boolean;
}

/**
 * Streams the regular files at or below `prefix`, without symlinks, names that can't be a RelPath, and `lost+found` at the root. Memory
 * grows with the folders not yet visited, not with the files.
 */
export async function* listFiles(
  root: string,
  prefix: RelPath | '',
  { skip, checkGoesOn, leavesOut }: ListFilesOptions,
): AsyncGenerator<FileEntry> {
  if (prefix !== '') {
    const file = await statPublished(root, prefix);
    if (file !== undefined) yield file;
    if (file !== undefined || !inRealFolders(root, prefix)) return;
  }
  const breath = new Breath(checkGoesOn);
  const folders: (RelPath | '')[] = [prefix];
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop())
    try {
      for (const { path, kind } of readFolder(root, folder)) {
        if (breath.isDue) await breath.take();
        if (skip(path) || (path === LOST_AND_FOUND && kind === 'folder')) continue;
        if (kind === 'folder') folders.push(path);
        const found = kind === 'file' ? lstatAt(`${root}/${path}`) : undefined;
        // It may have been replaced since the folder was read.
        if (found?.isFile() === true)
          yield { path, size: found.size, mtimeUs: toMicroseconds(found.mtimeMs) };
        else if (found?.isDirectory() === true) folders.push(path);
      }
    } catch (error) {
      if (folder === '' || folder === prefix || !leavesOut(folder, error)) throw error;
    }
}

/** Streams every folder below `directory`. `checkGoesOn` throws to end it early. */
export async function* foldersBelow(
  root: string,
  directory: RelPath,
  checkGoesOn: () => void,
): AsyncGenerator<RelPath> {
  const breath = new Breath(checkGoesOn);
  const folders = [directory];
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop())
    for (const { path, kind } of readFolder(root, folder)) {
      if (breath.isDue) await breath.take();
      if (kind !== 'folder') continue;
      folders.push(path);
      yield path;
    }
}
