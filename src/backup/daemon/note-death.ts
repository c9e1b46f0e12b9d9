import { randomUUID } from 'node:crypto';
import { IsyncError } from '../../model/isync-error.ts';
import type { BackupJob } from '../job.ts';
import type { RunRecord, RunRecords } from '../state/job-state.ts';
import { takeRunLock } from '../state/run-lock.ts';
import type { JobNotices } from '../tell/job-notices.ts';

export interface Death {
  readonly trigger: RunRecord['trigger'];
  readonly error: { readonly code: string; readonly message: string };
}

/**
 * Notes that the process of a run has ended without a word, and tells it: as a failed run, which status, metrics and alarms show. What it had
 * begun counts as interrupted, and the next run goes on with it.
 * @throws IsyncError where the state fails
 */
export async function noteDeath(
  { job, runs, notices }: DeathNeeds,
  { trigger, error }: Death,
  nowMs: number,
): Promise<void> {
  const begun = { id: randomUUID(), startedMs: nowMs, type: 'full', trigger } as const;
  const ended = { stage: 'failed', endedMs: nowMs, error } as const;
  try {
    using _ = await takeRunLock(job.stateDir);
    // Looked at under the lock: until then it may be a run of somebody else, who ends it well.
    const [last] = runs.list(1);
    if (last !== undefined && last.endedMs === undefined)
      runs.update(last.id, { stage: 'interrupted', endedMs: nowMs });
    runs.begin(begun);
    runs.update(begun.id, ended);
  } catch (thrown) {
    // Somebody has begun a run since: that one shows.
    if (!(thrown instanceof IsyncError) || thrown.code !== 'BUSY') throw thrown;
  } finally {
    // Also where the state fails.
    notices.ended({ ...begun, ...ended, files: 0, bytes: 0, retries: 0, problems: 0, backups: [] });
  }
}

export interface DeathNeeds {
  readonly job: Pick<BackupJob, 'stateDir'>;
  readonly runs: Pick<RunRecords, 'list' | 'begin' | 'update'>;
  readonly notices: Pick<JobNotices, 'ended'>;
}
