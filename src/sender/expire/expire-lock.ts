import { errnoOf, IsyncError, toIsyncError } from '../../model/isync-error.ts';
import type { Log } from '../../model/log.ts';
import { tryFileLock } from '../../sqlite/file-lock.ts';
import { lockHolder } from '../../sqlite/lock-holder.ts';
import { ownFolder } from './expired-log.ts';

/** In the folder of isync at the root. */
const LOCK_FILE = 'expire.lock';

/**
 * Keeps every other run on this root out until it is disposed of or the process ends. A disk that is full to the last block may
 * have no room for the lock; then there is none, for two runs at once only get into each other's way: neither removes what it
 * has not verified itself.
 * @throws IsyncError BUSY, READ_ONLY
 */
export async function takeExpireLock(root: string, log: Log): Promise<Disposable | undefined> {
  let path: string;
  try {
    path = `${ownFolder(root)}/${LOCK_FILE}`;
  } catch (error) {
    if (errnoOf(error) === 'ENOSPC' || errnoOf(error) === 'EDQUOT') return withoutLock(log);
    throw toIsyncError(error, 'READ_ONLY', { path: root });
  }
  try {
    const lock = await tryFileLock(path);
    if (lock !== undefined) return lock;
  } catch (error) {
    if (error instanceof IsyncError && error.code === 'STORE_FULL') return withoutLock(log);
    throw error;
  }
  const pid = lockHolder(path);
  const who = pid === undefined ? 'another process' : `process ${pid}`;
  throw new IsyncError('BUSY', `${who} expires directories of this root already`, {
    path,
    hint: 'Let it end. A scan with --expire-keep or --expire-min-free does so by itself.',
  });
}

function withoutLock(log: Log): undefined {
  log.warn('the disk has no room for a lock: going on without');
}
