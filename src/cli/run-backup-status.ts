import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { storeName } from '../backup/check/store-health.ts';
import type { BackupJob } from '../backup/job.ts';
import { openJobState, STATE_FILE } from '../backup/state/open-state.ts';
import { jobReport, type JobReport } from '../backup/status/job-report.ts';
import { jobsCommand } from './backup/backup-command.ts';
import { jobsNamed } from './backup/choose-job.ts';
import { reportLines, reportObject } from './backup/report-text.ts';
import { EXIT } from './exit-codes.ts';

/** By what this machine has in the folders of the jobs: no store is asked, and nothing is made. */
export const runBackupStatus = jobsCommand(async ({ jobs, words, output }) => {
  const asked = jobsNamed(jobs, words['job']);
  const nowMs = Date.now();
  const reports: JobReport[] = [];
  for (const job of asked) reports.push(await reportOf(job, nowMs));
  for (const report of reports) for (const line of reportLines(report, nowMs)) output.text(line);
  const isWell = reports.every(({ problems }) => problems.length === 0);
  return output.done(
    { jobs: reports.map((report) => reportObject(report, nowMs)) },
    isWell ? EXIT.DONE : EXIT.PROBLEMS,
  );
});

async function reportOf(job: BackupJob, nowMs: number): Promise<JobReport> {
  const targets = job.to.map(storeName);
  if (!existsSync(join(job.stateDir, STATE_FILE)))
    return jobReport({ job, targets, state: undefined, nowMs });
  using state = await openJobState(job.stateDir);
  return jobReport({ job, targets, state, nowMs });
}
