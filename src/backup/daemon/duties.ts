import { join } from 'node:path';
import type { Log } from '../../model/log.ts';
import { ensureFolder } from '../../sqlite/state-folder.ts';
import { IsyncError } from '../../model/isync-error.ts';
import type { BackupJob, JobSchedule } from '../job.ts';
import { scheduleOf } from '../schedule/due.ts';
import { takeRunLock } from '../state/run-lock.ts';
import type { RunRecord } from '../state/job-state.ts';
import { isGood } from './job-watch.ts';
import { type Duty, KeptTimes } from './kept-times.ts';
import type { ScheduledDuty } from './scheduler.ts';
import { firstSince, Timetable } from './timetable.ts';

/** Name in the folder of the job: what is the daemon's alone. */
const DAEMON_FOLDER = 'daemon';

/** What a daemon keeps of a job. Dispose of it once nothing of the job is under way. */
export interface DaemonPlace extends Disposable {
  readonly times: KeptTimes;
}

/**
 * Keeps every other daemon away from a job: it would do all of it once more.
 * @throws IsyncError BUSY where there is one; STORE_MISSING, STORE_FULL, STORE_FAILED
 */
export async function openDaemonPlace(job: BackupJob, log: Log): Promise<DaemonPlace> {
  await ensureFolder(job.stateDir);
  const folder = join(job.stateDir, DAEMON_FOLDER);
  const lock = await takeRunLock(folder).catch((error: unknown) => {
    if (!(error instanceof IsyncError) || error.code !== 'BUSY') throw error;
    throw new IsyncError('BUSY', `another daemon looks after the job ${job.name} already`, {
      path: folder,
      hint: 'One daemon is enough for all jobs of a file.',
      cause: error,
    });
  });
  return { times: new KeptTimes(folder, log), [Symbol.dispose]: () => lock[Symbol.dispose]() };
}

export interface DutyOptions {
  readonly job: BackupJob;
  readonly times: KeptTimes;
  /** Runs of before, the newest first. */
  readonly runs: readonly RunRecord[];
  readonly work: (duty: Duty) => ScheduledDuty['work'];
}

/** What a job does by schedules: none, one or two. */
export function dutiesOf({ job, times, runs, work }: DutyOptions): ScheduledDuty[] {
  const { name, timezone, jitterMs } = job;
  const lastRunMs = runs.find(isGood)?.startedMs;
  const dutyOf = (duty: Duty, schedule: JobSchedule | undefined): ScheduledDuty[] => {
    if (schedule === undefined) return [];
    const known = { keptMs: times.of(duty), lastRunMs: duty === 'run' ? lastRunMs : undefined };
    const nowMs = Date.now();
    const sinceMs = firstSince(schedule, known, nowMs);
    // From its first day on: what a machine misses that is switched off every night is missed since then.
    if (known.keptMs === undefined) times.set(duty, sinceMs);
    const timetable = new Timetable({
      schedule: scheduleOf(schedule, timezone),
      name: `${name} ${duty}`,
      jitterMs,
      sinceMs,
      keep: (ms) => times.set(duty, ms),
    });
    return [{ job: name, duty, timetable, work: work(duty) }];
  };
  return [...dutyOf('run', job.schedule), ...dutyOf('verify', job.verify?.schedule)];
}
