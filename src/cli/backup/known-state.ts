import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { BackupJob } from '../../backup/job.ts';
import type { JobState } from '../../backup/state/job-state.ts';
import { openJobState, STATE_FILE } from '../../backup/state/open-state.ts';
import type { Log } from '../../model/log.ts';

/** What this machine knows of a job; undefined where it has never run it, or may not read it: then the stores tell the most of it. */
export async function openKnownState(
  { stateDir }: Pick<BackupJob, 'stateDir'>,
  log: Log,
): Promise<JobState | undefined> {
  if (!existsSync(join(stateDir, STATE_FILE))) return undefined;
  try {
    return await openJobState(stateDir);
  } catch (err) {
    log.warn('the state of the job is not read: what verifications have found is not told', { err });
    return undefined;
  }
}
