import { Backoff } from '../../flow/retry.ts';
import { toIsyncError } from '../../model/isync-error.ts';
import type { OneScan, ScanEnd } from './one-scan.ts';

/** Before a scan that has failed begins anew, in ms: as RestartSec of the unit, and longer with each time. */
const FIRST_WAIT_MS = 5_000;
const LONGEST_WAIT_MS = 60_000;
/** A scan that has run for so long, in ms, has got over what it failed of. */
const STANDS_MS = 10_000;

/**
 * Runs one scan of several: one that fails leaves the others running, and begins anew after a while, as a service manager would have
 * it; not with `--once`. Never rejects.
 */
export async function keepRunning(scan: OneScan, signal: AbortSignal): Promise<ScanEnd> {
  const { status, config, log } = scan;
  const backoff = new Backoff({
    giveUpAfterMs: undefined,
    firstDelayMs: FIRST_WAIT_MS,
    longestDelayMs: LONGEST_WAIT_MS,
  });
  for (;;) {
    const stands = setTimeout(() => {
      status.failure = undefined;
      backoff.succeeded();
    }, STANDS_MS).unref();
    const end = await scan.run();
    clearTimeout(stands);
    if (end.failure === undefined || config.once || signal.aborted) return end;
    status.link.beganAnew();
    status.failure = toIsyncError(end.failure, 'INTERNAL');
    const onDelay = (ms: number): void =>
      log.error('the scan has failed; it begins anew, and the others go on', {
        err: end.failure,
        seconds: Math.round(ms / 1000),
      });
    try {
      await backoff.wait({ signal, onDelay });
    } catch {
      // The signal fired.
      return end;
    }
  }
}
