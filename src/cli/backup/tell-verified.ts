import type { BackupJob } from '../../backup/job.ts';
import { JobNotices } from '../../backup/tell/job-notices.ts';
import { openNoticeQueue } from '../../notices/notice-queue.ts';
import { openNotifier } from '../../notices/open-notifier.ts';
import type { Verification, VerifyDepth } from '../../backup/verify/verify.ts';
import type { Log } from '../../model/log.ts';

/** How long notices are delivered before the command goes on, in ms. What is left the daemon or the next run delivers. */
const FLUSH_MS = 15_000;

/** Tells people what a verification has found, where the job says so. A listing alone is told only where it finds something. */
export async function tellVerified(
  job: BackupJob,
  target: string,
  depth: VerifyDepth,
  { backups }: Verification,
  log: Log,
): Promise<void> {
  const damaged = backups.filter(({ fault }) => fault !== undefined);
  const [newest] = backups;
  const told = damaged.length > 0 || newest === undefined || depth.kind === 'shallow' ? damaged : [newest];
  if (told.length === 0 || job.notify.length === 0) return;
  using queue = await openNoticeQueue({
    stateDir: job.stateDir,
    notifiers: job.notify.map(openNotifier),
    log,
  });
  const notices = new JobNotices(job, queue);
  for (const { name, fault } of told)
    notices.verified({ target, backup: name, atMs: Date.now(), depth: depth.kind, fault });
  await queue.flush(FLUSH_MS);
}
