import { closeSync, fdatasync, openSync } from 'node:fs';
import { join } from 'node:path';
import { errnoOf } from '../model/isync-error.ts';
import type { RelPath } from '../model/rel-path.ts';
import { Limiter } from '../flow/limiter.ts';
import { READ_FLAGS, readError } from './source-file.ts';

/**
 * Files synced at a time: the disk makes one flush of many, half of the 64 threads of the pool are left to all else, should
 * this disk stall, and each file holds a descriptor, of which a process may have no more than 1024. Live files need not
 * wait behind the backlog.
 */
const SYNCED_AT_ONCE = { live: 8, backlog: 24 };
const syncing = { live: new Limiter(SYNCED_AT_ONCE.live), backlog: new Limiter(SYNCED_AT_ONCE.backlog) };

/** fdatasync(2) of file systems that have none, or that nobody can write to. */
const NOTHING_TO_SYNC: ReadonlySet<string | undefined> = new Set([
  'EINVAL',
  'ENOTSUP',
  'EOPNOTSUPP',
  'EROFS',
  'ENOSYS',
]);

/**
 * Makes the content of a file durable where it lies, so that no power cut of this machine leaves a mark on a file that is
 * empty or cut short. From then on a store through a memory map changes the file's times, which it does not while the page
 * is dirty already; so call it before the guarded read. May be called for any number of files at once.
 *
 * Rejects as the guarded read does: FILE_VANISHED, NOT_REGULAR, FILE_UNREADABLE (also for what the disk could not write).
 */
export function makeDurable(root: string, path: RelPath, priority: 'live' | 'backlog'): Promise<void> {
  return syncing[priority].run(() => sync(join(root, path), path));
}

/** All but the sync is synchronous, and there is one promise: more would cost as much as the sync of a clean file. */
function sync(absolute: string, path: RelPath): Promise<void> {
  return new Promise((resolve, reject) => {
    const failed = (error: unknown): void =>
      NOTHING_TO_SYNC.has(errnoOf(error)) ? resolve() : reject(readError(error, path));
    let fd: number;
    try {
      fd = openSync(absolute, READ_FLAGS);
    } catch (error) {
      failed(error);
      return;
    }
    fdatasync(fd, (error) => {
      closeSync(fd);
      if (error === null) resolve();
      else failed(error);
    });
  });
}
