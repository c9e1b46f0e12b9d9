import { pullSchema, type PullConfig } from '../config/schemas/pull.ts';
import { formatBytes, formatCount } from '../observe/units.ts';
import type { PullSummary } from '../events/pull/pull-tally.ts';
import { IsyncError } from '../model/isync-error.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { FINISHING, lastingCommand, type LastingWork } from './lasting-command.ts';
import { trustSystemCas } from './trust-system-cas.ts';

type Work = LastingWork<PullConfig>;

export const runPull = lastingCommand(pullSchema, FINISHING, async (given) => {
  trustSystemCas();
  if (given.config.check) return (await import('./run-pull-check.ts')).runCheck(given);
  if (given.config.dryRun) return (await import('./run-pull-dry.ts')).runDry(given);
  try {
    return await follow(given);
  } catch (error) {
    if (given.signal.aborted && error === given.signal.reason) return EXIT.DONE;
    return whereAnotherRuns(error, given);
  }
});

async function follow(given: Work): Promise<ExitCode> {
  const { config, output, log, signal, cut } = given;
  const [{ openPull }, { pull }, { PullTally }, { allOf }] = await Promise.all([
    import('./open-pull.ts'),
    import('../events/pull/pull.ts'),
    import('../events/pull/pull-tally.ts'),
    import('../events/pull/pull-observer.ts'),
  ]);
  await using opened = await openPull(given);
  const tally = new PullTally();
  const running: { inHand: number } = { inHand: 0 };
  await using metrics = config.status === undefined ? undefined : await startMetrics(given, opened.parking, () => running.inHand);
  const { failure } = await pull({
    ...opened,
    buckets: config.buckets,
    keyEncoding: config.keyEncoding,
    unmatched: config.unmatched,
    attempts: config.attempts,
    concurrency: config.concurrency,
    maxDelete: config.maxDelete,
    removes: config.delete,
    resync: config.resync,
    once: config.once,
    observer: metrics === undefined ? tally : allOf(tally, metrics.observer),
    log,
    signal,
    cut,
  });
  const told = opened.exec === undefined || !config.once || (await opened.exec.flush());
  const summary = tally.summary;
  output.text(summaryLine(summary));
  if (config.once && failure !== undefined) return output.failed(failure, summary);
  return output.done(summary, config.once && (!told || summary.parked > 0) ? EXIT.PROBLEMS : EXIT.DONE);
}
