import { pullSchema, type PullConfig } from '../config/schemas/pull.ts';
import { IsyncError } from '../model/isync-error.ts';
import { checkApart } from './apart-from-folders.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { FINISHING, lastingCommand, type LastingWork } from './lasting-command.ts';
import { trustSystemCas } from './trust-system-cas.ts';

export const runPull = lastingCommand(pullSchema, FINISHING, async (given) => {
  const { config, configFile, signal } = given;
  trustSystemCas();
  await checkApart(config, configFile);
  try {
    if (config.check) refuseSource(config);
    if (config.check) return await (await import('./pull/check.ts')).runCheck(given);
    if (config.dryRun) return await (await import('./pull/dry-run.ts')).runDry(given);
    return await (await import('./pull/follow.ts')).follow(given);
  } catch (error) {
    // It came while something was opened: as later, that is no failure of a daemon.
    if (signal.aborted && error === signal.reason) return config.once ? EXIT.INTERRUPTED : EXIT.DONE;
    return ofOtherProcess(error, given);
  }
});

/** @throws IsyncError CONFIG_INVALID where there is no queue of SQS to check */
export function refuseSource({ source }: Pick<PullConfig, 'source'>): void {
  if (source !== undefined)
    throw new IsyncError('CONFIG_INVALID', '--check tries a queue of SQS, and a source is none');
}

/** What it means that another process has the state: for cron, that the work is being done. */
function ofOtherProcess(error: unknown, { config, output, log }: LastingWork<PullConfig>): ExitCode {
  if (!(error instanceof IsyncError) || error.code !== 'FENCED') throw error;
  if (!config.once)
    throw new IsyncError('CONFIG_INVALID', error.message, {
      hint: error.hint,
      path: error.path,
      cause: error,
    });
  log.warn(`nothing done: ${error.message}`);
  return output.done({ skipped: error.message });
}
