import { JobNotices } from '../backup/tell/job-notices.ts';
import { openNoticeQueue } from '../notices/notice-queue.ts';
import { openNotifier } from '../notices/open-notifier.ts';
import { dryRun } from '../backup/run/dry-run.ts';
import { runJob } from '../backup/run/run-job.ts';
import type { RunResult } from '../backup/run/run-request.ts';
import { IsyncError } from '../model/isync-error.ts';
import { ensureFolder } from '../sqlite/state-folder.ts';
import { jobCommand, type JobWork } from './backup/backup-command.ts';
import { openStores } from './backup/open-stores.ts';
import { dryRunLines, dryRunObject } from './backup/dry-run-text.ts';
import { resultLines, resultObject, runExitCode } from './backup/run-text.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { softwareName } from './version.ts';

/** Longest time that notices are waited for at the end, in ms: those that are left go with the next process. */
const FLUSH_MS = 15_000;

export const runBackup = jobCommand(async (given) => {
  try {
    return given.config.dryRun ? await look(given) : await run(given);
  } catch (error) {
    // Somebody else makes the backup: whoever asked for one need not be called for that.
    if (error instanceof IsyncError && error.code === 'BUSY')
      return given.output.failed(error, {}, EXIT.PROBLEMS);
    throw error;
  }
});

async function run({ config, job, output, screen, log, signal, cut }: JobWork): Promise<ExitCode> {
  await ensureFolder(job.stateDir);
  await using stores = await openStores(job);
  using queue = await openNoticeQueue({
    stateDir: job.stateDir,
    notifiers: job.notify.map(openNotifier),
    log,
  });
  let packed = { files: 0, bytes: 0 };
  screen.showProgress(() => packed);
  const result: RunResult = await runJob({
    job,
    targets: stores.targets,
    trigger: config.trigger,
    type: config.type,
    isRehash: config.rehash,
    isAdopting: config.adopt,
    isWaiting: config.wait,
    madeBy: softwareName(),
    notices: new JobNotices(job, queue),
    log,
    signal,
    cut,
    onProgress: (progress) => (packed = progress),
  });
  for (const line of resultLines(result)) output.text(line);
  await queue.flush(FLUSH_MS);
  const exitCode = runExitCode(result);
  const { error, failures, backups } = result;
  const cause = error ?? (backups.length === 0 ? failures[0]?.error : undefined);
  const told = resultObject(job.name, result);
  return cause === undefined ? output.done(told, exitCode) : output.failed(cause, told, exitCode);
}

async function look({ config, job, output, log, signal }: JobWork): Promise<ExitCode> {
  await using stores = await openStores(job);
  const found = await dryRun({
    job,
    targets: stores.targets,
    type: config.type,
    isRehash: config.rehash,
    isAdopting: config.adopt,
    isWaiting: config.wait,
    log,
    signal,
  });
  for (const line of dryRunLines(found)) output.text(line);
  const exitCode = found.failures.length === 0 ? EXIT.DONE : EXIT.PROBLEMS;
  return output.done(dryRunObject(job.name, found), exitCode);
}
