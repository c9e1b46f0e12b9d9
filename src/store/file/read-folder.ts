import { type Dir, lstatSync, opendirSync, type Stats } from 'node:fs';
import { join } from 'node:path';
import { isRelPath, type RelPath } from '../../model/rel-path.ts';
import { unlessAbsentSync } from './system-errors.ts';

/** Entries that Node fetches at a time. */
const READ_AHEAD = 256;

export interface FolderEntry {
  readonly path: RelPath;
  /** 'neither' is a symlink, a device, a FIFO. */
  readonly kind: 'file' | 'folder' | 'neither';
}

/**
 * The entries of a folder, in no order, without names that can't be a RelPath; none where it is a symlink or no folder.
 * Synchronous, because a promise for each entry would cost more than the entry: the caller has to take breaks.
 */
export function* readFolder(root: string, folder: RelPath | ''): Generator<FolderEntry> {
  const path = join(root, folder);
  const before = lstatAt(path);
  if (before?.isDirectory() !== true) return;
  const dir = unlessAbsentSync(() => opendirSync(path, { bufferSize: READ_AHEAD }));
  if (dir === undefined) return;
  try {
    // opendir(3) follows a symlink that took the folder's place since the look at it.
    const now = lstatAt(path);
    if (now?.ino === before.ino && now.dev === before.dev) yield* entriesOf(dir, folder);
  } finally {
    dir.closeSync();
  }
}

/** What is at the absolute path, a symlink itself; undefined where nothing is. */
export function lstatAt(path: string): Stats | undefined {
  return unlessAbsentSync(() => lstatSync(path, { throwIfNoEntry: false }));
}

function* entriesOf(dir: Dir, folder: RelPath | ''): Generator<FolderEntry> {
  const before = folder === '' ? '' : `${folder}/`;
  const replaced = new Set<string>();
  for (let entry = dir.readSync(); entry !== null; entry = dir.readSync()) {
    const { name } = entry;
    // In names that are not UTF-8 Node puts U+FFFD: they mostly name nothing then, but may name another file.
    if (name.includes('\uFFFD')) {
      if (replaced.has(name)) continue;
      replaced.add(name);
    }
    const path = before + name;
    if (!isRelPath(path)) continue;
    yield { path, kind: entry.isFile() ? 'file' : entry.isDirectory() ? 'folder' : 'neither' };
  }
}
