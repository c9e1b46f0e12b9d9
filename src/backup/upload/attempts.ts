import { retrying } from '../../flow/retry.ts';
import type { Abortable } from '../../model/abortable.ts';
import type { ErrorCode, IsyncError } from '../../model/isync-error.ts';
import type { Log } from '../../model/log.ts';

/** How long a target may fail until it has failed for this run, in ms: an outage that is repaired by hand is longer anyway. */
const GIVE_UP_MS = 15 * 60_000;
/**
 * What a person has to mend at the credentials, the bucket or the disk: elsewhere it is tried again for as long as files wait, but
 * a run of backups ends, and the next one goes on. And an object that is another one by now, which it stays.
 */
const FINAL: ReadonlySet<ErrorCode> = new Set([
  'STORE_REFUSED',
  'STORE_MISSING',
  'STORE_FULL',
  'CLOCK_SKEW',
  'CONFIG_INVALID',
  'FILE_CHANGED',
]);

export interface AttemptOptions extends Abortable {
  /** Says which target it is. Each error after which another try is made is a warning. */
  readonly log: Log;
  /** Called with each of them. Must not throw. */
  readonly onRetry?: ((error: IsyncError) => void) | undefined;
  /** Default {@link GIVE_UP_MS}. */
  readonly giveUpAfterMs?: number | undefined;
}

/**
 * Makes a call of a target until it succeeds, waiting 0.1 to 30 s between tries. Rejects with the error that no other try would mend,
 * with the last one when it has failed for too long, and with the reason of the signal.
 * @param what it does, for the log: "put part 3"
 */
export async function attempting<T>(
  what: string,
  attempt: () => Promise<T>,
  { log, signal, onRetry, giveUpAfterMs = GIVE_UP_MS }: AttemptOptions,
): Promise<T> {
  let tries = 0;
  let wasSkewed = false;
  return await retrying(
    async () => {
      tries += 1;
      return await attempt();
    },
    { giveUpAfterMs },
    {
      signal,
      isRetryable: ({ code, retryable }) => {
        // The SDK has the time of the server from its refusal, and signs by that from then on.
        const isNewSkew = code === 'CLOCK_SKEW' && !wasSkewed;
        wasSkewed ||= isNewSkew;
        return retryable && (isNewSkew || !FINAL.has(code));
      },
      onRetry: (err) => {
        log.warn('a request to a backup target failed', { what, tries, err });
        onRetry?.(err);
      },
    },
  );
}
