import { KEEP_AT_LEAST_MS } from '../../config/expire-values.ts';
import type { ScanConfig } from '../../config/schemas/scan.ts';
import { showAddress } from '../../config/target-address.ts';
import type { Log } from '../../model/log.ts';
import type { IgnoreRule } from '../../scanner/ignore-rule.ts';
import type { Target } from '../../sender/target.ts';

/** Starts to expire directories, where that is asked for; disposing ends it. */
export async function startExpiring(
  { root, tag, newest, to, expireKeep, expireMinFree }: ScanConfig,
  target: Target,
  { ignore, signal, log }: { ignore: IgnoreRule; signal: AbortSignal; log: Log },
): Promise<AsyncDisposable | undefined> {
  if (expireKeep === undefined && expireMinFree === undefined) return undefined;
  const { expireDuty } = await import('../../sender/expire/expire-duty.ts');
  const over = new AbortController();
  const duty = expireDuty({
    root,
    target,
    tag,
    ignore,
    newest,
    keepMs: expireKeep,
    minFree: expireMinFree,
    keepAtLeastMs: KEEP_AT_LEAST_MS,
    targetName: showAddress(to),
    signal: AbortSignal.any([signal, over.signal]),
    log,
  });
  return {
    async [Symbol.asyncDispose]() {
      over.abort();
      await duty;
    },
  };
}
