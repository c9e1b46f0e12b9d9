import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { errnoOf } from './isync-error.ts';

/** Makes the names in the folder at the absolute path durable. */
export async function syncFolder(path: string): Promise<void> {
  await using folder = await open(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  try {
    await folder.sync();
  } catch (error) {
    // The answer of file systems (some FUSE and network ones) that have no such thing as syncing a folder.
    const errno = errnoOf(error);
    if (errno !== 'EINVAL' && errno !== 'ENOTSUP') throw error;
  }
}
