import { pause } from '../../flow/wake-up.ts';
import { toIsyncError } from '../../model/isync-error.ts';
import type { OneScan, ScanEnd } from './one-scan.ts';

/** Before a scan that has failed begins anew, in ms: as RestartSec of the unit; then twice as long each time, up to the longest. */
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
  for (let waitMs = FIRST_WAIT_MS; ; waitMs = Math.min(2 * waitMs, LONGEST_WAIT_MS)) {
    const stands = setTimeout(() => {
      status.failure = undefined;
      waitMs = FIRST_WAIT_MS;
    }, STANDS_MS).unref();
    const end = await scan.run();
    clearTimeout(stands);
    if (end.failure === undefined || config.once || signal.aborted) return end;
    const error = toIsyncError(end.failure, 'INTERNAL');
    log.error('the scan has failed; it begins anew, and the others go on', {
      err: end.failure,
      seconds: waitMs / 1000,
    });
    status.link.beganAnew();
    status.failure = error;
    await pause(waitMs, signal);
    if (signal.aborted) return end;
  }
}
