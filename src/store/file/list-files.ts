import { lstat, opendir } from 'node:fs/promises';
import { join } from 'node:path';
import { type FileEntry, toMicroseconds } from '../../model/file-entry.ts';
import { isRelPath, type RelPath } from '../../model/rel-path.ts';
import { inRealFolders, isRealFolder, statPublished } from './published.ts';
import { unlessAbsent } from './system-errors.ts';

/** Entries looked at together: enough to keep the thread pool busy, small against a folder of a million files. */
const GROUP_ENTRIES = 128;

/**
 * The regular files at or below `prefix`, streamed; symlinks and names that can't be a RelPath are none of ours.
 * Memory grows with the folders not yet visited, not with the files. `skip` tells what to
 * leave out; `checkGoesOn` throws to end it early.
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
  const folders: (RelPath | '')[] = [prefix];
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    for await (const paths of groupsOf(root, folder)) {
      checkGoesOn();
      const found = await Promise.all(paths.filter((path) => !skip(path)).map((path) => look(root, path)));
      for (const each of found) {
        if (each === undefined) continue;
        if ('size' in each) yield each;
        else folders.push(each.path);
      }
    }
  }
}

async function* groupsOf(root: string, folder: RelPath | ''): AsyncGenerator<RelPath[]> {
  const path = join(root, folder);
  if (!(await isRealFolder(path))) return;
  const entries = await unlessAbsent(() => opendir(path, { bufferSize: GROUP_ENTRIES }));
  if (entries === undefined) return;
  let group: RelPath[] = [];
  const replaced = new Set<string>();
  for await (const { name } of entries) {
    // In names that are not UTF-8 Node puts U+FFFD: they mostly name nothing then, but may name another file.
    if (name.includes('\uFFFD')) {
      if (replaced.has(name)) continue;
      replaced.add(name);
    }
    const path = folder === '' ? name : `${folder}/${name}`;
    if (isRelPath(path)) group.push(path);
    if (group.length < GROUP_ENTRIES) continue;
    yield group;
    group = [];
  }
  yield group;
}

/** A file, a folder to visit, or neither. */
async function look(
  root: string,
  path: RelPath,
): Promise<FileEntry | { readonly path: RelPath } | undefined> {
  const found = await unlessAbsent(() => lstat(join(root, path)));
  if (found?.isDirectory()) return { path };
  if (!found?.isFile()) return undefined;
  return { path, size: found.size, mtimeUs: toMicroseconds(found.mtimeMs) };
}
