import type { BackupTarget } from '../../backup/target/target.ts';
import { attempting } from '../../backup/upload/attempts.ts';
import { Limiter } from '../../flow/limiter.ts';
import type { Log } from '../../model/log.ts';

/** Requests at a time. */
const AT_ONCE = 8;
/** How long a store may fail until a lock is not told, in ms. */
const GIVE_UP_MS = 10_000;

/** Until when objects are locked, in ms since the epoch, of a store whose settings ask for locks; what can't be told is a warning. */
export async function locksOf(
  target: BackupTarget,
  keys: readonly string[],
  { log, signal }: { readonly log: Log; readonly signal: AbortSignal },
): Promise<ReadonlyMap<string, number>> {
  const locks = new Map<string, number>();
  if (target.capabilities.lock === undefined) return locks;
  const limiter = new Limiter(AT_ONCE);
  const nowMs = Date.now() - (target.clockAheadMs ?? 0);
  const look = async (key: string): Promise<void> => {
    const options = { log, signal, giveUpAfterMs: GIVE_UP_MS };
    const untilMs = await attempting(
      `look at the lock of ${key}`,
      async () => await target.lockedUntil(key, { signal }),
      options,
    );
    if (untilMs !== undefined && untilMs > nowMs) locks.set(key, untilMs);
  };
  try {
    await Promise.all(keys.map(async (key) => await limiter.run(async () => await look(key))));
  } catch (err) {
    signal.throwIfAborted();
    log.warn('locks are not told', { target: target.name, err });
  }
  return locks;
}
