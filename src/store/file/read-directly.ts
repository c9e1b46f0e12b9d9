import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import type { RelPath } from '../../model/rel-path.ts';
import type { ReadOptions } from '../store.ts';
import { replaced } from '../store-errors.ts';
import { checkSame, endOf, inRealFolders, publishedOf, type Published, READ_FLAGS } from './published.ts';
import { lstatAt } from './read-folder.ts';
import { unlessAbsentSync } from './system-errors.ts';

/** Looks at files and reads small ones in this thread: for a small file the promises of the thread pool cost more than its calls. */

/** Most bytes that are read at once by this thread: what a disk gives within its latency. */
export const MOST_DIRECT_BYTES = 256 * 1024;

/** The file at `path`, or undefined where there is none: symlinks are not followed and are none. */
export function findDirectly(root: string, path: RelPath): Published | undefined {
  const stats = lstatAt(`${root}/${path}`);
  if (stats === undefined || !stats.isFile() || !inRealFolders(root, path)) return undefined;
  return publishedOf(path, stats);
}

/**
 * The bytes of a version that are wanted, at most {@link MOST_DIRECT_BYTES}.
 * @throws IsyncError FILE_CHANGED
 */
export function readDirectly(root: string, { entry, stats }: Published, options: ReadOptions): Buffer {
  const { path, size } = entry;
  const { start = 0, memory = ownMemory } = options;
  const fd = unlessAbsentSync(() => openSync(`${root}/${path}`, READ_FLAGS));
  if (fd === undefined) throw replaced(path);
  try {
    const bytes = memory(endOf(size, options) - start);
    for (let done = 0; done < bytes.length;) {
      const count = readSync(fd, bytes, done, bytes.length - done, start + done);
      if (count === 0) throw replaced(path);
      done += count;
    }
    // Compared once all is read: an earlier look would tell nothing more.
    checkSame(fstatSync(fd), stats, path);
    return bytes;
  } finally {
    closeSync(fd);
  }
}

function ownMemory(bytes: number): Buffer {
  return Buffer.allocUnsafe(bytes);
}
