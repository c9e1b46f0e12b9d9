import { KEEP_AT_LEAST_MS } from '../../config/expire-values.ts';
import type { ScanConfig } from '../../config/schemas/scan.ts';
import { showAddress } from '../../config/target-address.ts';
import type { Log } from '../../model/log.ts';
import type { IgnoreRule } from '../../scanner/ignore-rule.ts';
import type { Target } from '../../sender/target.ts';
import { openTarget } from '../open-target.ts';

/** Starts to expire directories, where that is asked for; disposing ends it. */
export async function startExpiring(
  config: ScanConfig,
  target: Target,
  given: { ignore: IgnoreRule; signal: AbortSignal; log: Log },
): Promise<AsyncDisposable | undefined> {
  const { root, tag, newest, to, expireKeep, expireMinFree } = config;
  if (expireKeep === undefined && expireMinFree === undefined) return undefined;
  const { expireDuty } = await import('../../sender/expire/expire-duty.ts');
  const { ignore, log } = given;
  const over = new AbortController();
  const signal = AbortSignal.any([given.signal, over.signal]);
  const openLink = () =>
    openTarget(config, { mode: 'read', endsByItself: false, signal, cut: signal, log: quieter(log) });
  const duty = expireDuty({
    root,
    target,
    openLink: to.kind === 'receiver' ? openLink : undefined,
    tag,
    ignore,
    newest,
    keepMs: expireKeep,
    minFree: expireMinFree,
    keepAtLeastMs: KEEP_AT_LEAST_MS,
    targetName: showAddress(to),
    signal,
    log,
  });
  return {
    async [Symbol.asyncDispose]() {
      over.abort();
      await duty;
    },
  };
}

/** A link that stands for one run is no news, and what is wrong with it the scan's own link tells. */
function quieter(log: Log): Log {
  const debug: Log['debug'] = (message, fields) => log.debug(message, fields);
  return { debug, info: debug, warn: debug, error: debug, with: (fields) => quieter(log.with(fields)) };
}
