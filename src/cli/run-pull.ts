import { pullSchema, type PullConfig } from '../config/schemas/pull.ts';
import { IsyncError } from '../model/isync-error.ts';
import { proxyEnv } from '../model/proxy-env.ts';
import { checkApart } from './apart-from-folders.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { FINISHING, lastingCommand, type LastingWork } from './lasting-command.ts';
import { trustSystemCas } from './trust-system-cas.ts';

export const runPull = lastingCommand(pullSchema, FINISHING, async (given) => {
  const { config, configFile, signal } = given;
  if (mayAskByTls(config)) trustSystemCas();
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

/**
 * One that reads a queue and a bucket by plain HTTP, with keys from the environment, speaks TLS to nobody: it is spared 100 ms of its
 * start. Others may ask a service for their keys, or a proxy for everything.
 */
function mayAskByTls({ queue, sync, sqsEndpoint, s3Endpoint, profile, roleArn }: PullConfig): boolean {
  const { env } = process;
  const isPlain = [sqsEndpoint, s3Endpoint].every((endpoint) => endpoint?.protocol === 'http:');
  const hasKeys =
    env['AWS_ACCESS_KEY_ID'] !== undefined && (profile ?? roleArn ?? env['AWS_PROFILE']) === undefined;
  return queue === undefined || sync.length === 0 || !isPlain || !hasKeys || proxyEnv(env) !== undefined;
}

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
