import { join } from 'node:path';
import { Backoff } from '../../flow/retry.ts';
import type { Abortable } from '../../model/abortable.ts';
import { IsyncError } from '../../model/isync-error.ts';
import { tryFileLock } from '../../sqlite/file-lock.ts';
import { lockHolder } from '../../sqlite/lock-holder.ts';
import { ensureFolder } from '../../sqlite/state-folder.ts';

/** Name in the folder of the job: a database without tables, of which only the lock counts. */
export const LOCK_FILE = 'run.lock';
/** A run takes minutes to hours: who waits for it looks again this soon at the latest, in ms. */
const LOOK_MS = 1000;

export interface RunLockOptions extends Abortable {
  /** Whether to wait until the other run has ended. Default false. */
  readonly isWaiting?: boolean | undefined;
}

/**
 * Keeps every other run of the job out, of this process too, until it is disposed of or the process ends, however it does: an exclusive
 * transaction of SQLite, which is a lock of the kernel.
 * @param stateDir of the job; made where it is missing
 * @throws IsyncError BUSY where another run has it; STORE_MISSING, STORE_FULL, STORE_FAILED
 */
export async function takeRunLock(
  stateDir: string,
  { isWaiting = false, signal }: RunLockOptions = {},
): Promise<Disposable> {
  await ensureFolder(stateDir);
  const path = join(stateDir, LOCK_FILE);
  const backoff = new Backoff({ giveUpAfterMs: undefined, longestDelayMs: LOOK_MS });
  for (;;) {
    signal?.throwIfAborted();
    const lock = await tryFileLock(path);
    if (lock !== undefined) return lock;
    if (!isWaiting) throw busy(path);
    await backoff.wait({ signal });
  }
}

function busy(path: string): IsyncError {
  const pid = lockHolder(path);
  const who = pid === undefined ? 'another process' : `process ${pid}`;
  return new IsyncError('BUSY', `${who} runs this job already`, {
    path,
    hint: 'Let it end, or wait for it with --wait.',
  });
}
