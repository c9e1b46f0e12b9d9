import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { parentOf, type RelPath } from '../../model/rel-path.ts';
import { replaced } from '../store-errors.ts';
import { checkSame, publishedOf, type Published, READ_FLAGS } from './published.ts';
import { lstatAt } from './read-folder.ts';
import { unlessAbsentSync } from './system-errors.ts';

/** Looks at files and reads small ones in this thread: for a small file the promises of the thread pool cost more than its calls. */

/** Most bytes that are read at once by this thread: what a disk gives within its latency. */
export const MOST_DIRECT_BYTES = 256 * 1024;

/** The file at `path`, or undefined where there is none: symlinks are not followed and are none. */
export function findDirectly(root: string, path: RelPath): Published | undefined {
  const stats = lstatAt(join(root, path));
  if (stats === undefined || !stats.isFile()) return undefined;
  for (let folder = parentOf(path); folder !== ''; folder = parentOf(folder))
    if (lstatAt(join(root, folder))?.isDirectory() !== true) return undefined;
  return publishedOf(path, stats);
}

/**
 * The bytes of a version from `start` up to `end`, which must lie in it.
 * @throws IsyncError FILE_CHANGED
 */
export function readDirectly(root: string, { entry, stats }: Published, start: number, end: number): Buffer {
  const { path } = entry;
  const fd = unlessAbsentSync(() => openSync(join(root, path), READ_FLAGS));
  if (fd === undefined) throw replaced(path);
  try {
    checkSame(fstatSync(fd), stats, path);
    const bytes = Buffer.allocUnsafe(end - start);
    for (let read = 0; read < bytes.length;) {
      const count = readSync(fd, bytes, read, bytes.length - read, start + read);
      if (count === 0) throw replaced(path);
      read += count;
    }
    checkSame(fstatSync(fd), stats, path);
    return bytes;
  } finally {
    closeSync(fd);
  }
}
