import type { SenderConfig } from '../config/schemas/sender.ts';
import { showAddress } from '../config/target-address.ts';
import type { ErrorCode, IsyncError } from '../model/isync-error.ts';
import { openTargetAt } from './locations/table.ts';
import type { OpenTarget, Shared, TargetUse } from './own-target.ts';

/** How long a command that ends by itself tries to reach its target, in ms: a restart of the receiver fits in. */
export const ONE_SHOT_RETRY_MS = 20_000;
/** How often the log repeats that files wait for the same reason, in ms. */
const TOLD_EVERY_MS = 60_000;

/**
 * Opens what `--to` names. A receiver is connected to in the background: the calls tell when it can't be reached.
 * @throws IsyncError CONFIG_INVALID, ROOT_MISSING, STORE_MISSING, or what an S3 store can't be opened for
 */
export async function openTarget(config: SenderConfig, use: TargetUse): Promise<OpenTarget> {
  const tell = sometimes((error: IsyncError) =>
    use.log.warn('the target refuses for now; trying again', {
      code: error.code,
      reason: error.message,
    }),
  );
  const shared: Shared = {
    device: config.device,
    digest: config.digest,
    replaceDamaged: use.replaceDamaged,
    retry: { giveUpAfterMs: config.retryFor ?? (use.endsByItself ? ONE_SHOT_RETRY_MS : undefined) },
    limiter: use.limiter,
    onRetry: (error) => {
      use.watch?.refused(error);
      tell(error);
    },
  };
  use.log.info('opening the target', { device: config.device, to: showAddress(config.to) });
  return openTargetAt(config.to, config, shared, use);
}

/** Tells an error of each code at most once a minute: every file that waits has an error of its own. */
function sometimes(tell: (error: IsyncError) => void): (error: IsyncError) => void {
  const toldMs = new Map<ErrorCode, number>();
  return (error) => {
    const nowMs = performance.now();
    if (nowMs - (toldMs.get(error.code) ?? -Infinity) < TOLD_EVERY_MS) return;
    toldMs.set(error.code, nowMs);
    tell(error);
  };
}
