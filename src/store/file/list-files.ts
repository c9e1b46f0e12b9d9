import { type FileEntry, toMicroseconds } from '../../model/file-entry.ts';
import type { RelPath } from '../../model/rel-path.ts';
import { Breath } from './breath.ts';
import { inRealFolders, statPublished } from './published.ts';
import { lstatAt, readFolder } from './read-folder.ts';

/**
 * Streams the regular files at or below `prefix`, without symlinks and names that can't be a RelPath. Memory grows with
 * the folders not yet visited, not with the files. `skip` tells what to leave out; `checkGoesOn` throws to end it early.
 */
export async function* listFiles(
  root: string,
  prefix: RelPath | '',
  skip: (path: RelPath) => boolean,
  checkGoesOn: () => void,
): AsyncGenerator<FileEntry> {
  if (prefix !== '') {
    const file = await statPublished(root, prefix);
    if (file !== undefined) yield file;
    if (file !== undefined || !(await inRealFolders(root, prefix))) return;
  }
  const breath = new Breath(checkGoesOn);
  const folders: (RelPath | '')[] = [prefix];
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop())
    for (const { path, kind } of readFolder(root, folder)) {
      if (breath.isDue) await breath.take();
      if (skip(path)) continue;
      if (kind === 'folder') folders.push(path);
      const found = kind === 'file' ? lstatAt(`${root}/${path}`) : undefined;
      // It may have been replaced since the folder was read.
      if (found?.isFile() === true) yield { path, size: found.size, mtimeUs: toMicroseconds(found.mtimeMs) };
      else if (found?.isDirectory() === true) folders.push(path);
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
