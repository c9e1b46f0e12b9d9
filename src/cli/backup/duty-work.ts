import type { Duty } from '../../backup/daemon/kept-times.ts';
import { noteDeath } from '../../backup/daemon/note-death.ts';
import type { Ended } from '../../backup/daemon/timetable.ts';
import type { BackupJob } from '../../backup/job.ts';
import type { Due } from '../../backup/schedule/due.ts';
import type { RunRecords } from '../../backup/state/job-state.ts';
import { takeRunLock } from '../../backup/state/run-lock.ts';
import type { JobNotices } from '../../backup/tell/job-notices.ts';
import { type ErrorCode, IsyncError } from '../../model/isync-error.ts';
import { ERRORS } from '../../model/error-table.ts';
import type { Log } from '../../model/log.ts';
import { EXIT } from '../exit-codes.ts';
import { type ChildEnd, type ChildOptions, runBackupCommand } from './child.ts';

export interface DutyWork {
  readonly job: BackupJob;
  readonly runs: RunRecords;
  readonly notices: Pick<JobNotices, 'ended'>;
  readonly log: Log;
  readonly child: Omit<ChildOptions, 'signal'>;
  /** Called when something may have changed in the state and in the stores. */
  readonly changed: () => void;
}

/**
 * Does a duty of a job as a process of its own: what it takes of memory is given back, what kills it (for want of memory, most often) kills no
 * other, and neither does what a person stops by its pid.
 */
export async function doDuty(
  duty: Duty,
  due: Due,
  work: DutyWork & Pick<ChildOptions, 'signal'>,
): Promise<Ended> {
  const { job, runs, log, child, changed, signal } = work;
  try {
    if (await isRunning(job)) return 'busy';
    const about = { duty, due: new Date(due.dueMs).toISOString() };
    log.info(due.isCatchUp ? 'what was missed is caught up' : 'it is time', about);
    const [before] = runs.list(1);
    const end = await runBackupCommand(argsOf(duty, due, job), { ...child, signal });
    const [last] = runs.list(1);
    // Where the record is that of before, it did not get as far as a run. One that goes on with another keeps its id.
    const isNew = last?.id !== before?.id || last?.endedMs !== before?.endedMs;
    const error = isNew ? last?.error?.code : undefined;
    const ended = endedBy(end, duty === 'run' ? error : undefined);
    if (signal.aborted && ended !== 'done') {
      changed();
      return 'interrupted';
    }
    if (duty === 'run' && !(isNew && last?.endedMs !== undefined) && isDeath(end)) {
      const trigger = triggerOf(due);
      await noteDeath(work, { trigger, error: errorOf(end) }, Date.now());
    }
    changed();
    if (end.kind !== 'exit' || end.code !== EXIT.DONE)
      log.warn(duty === 'run' ? 'a run did not end well' : 'a verification did not end well', {
        ...describe(end),
        ...(error !== undefined && { error }),
      });
    return ended;
  } catch (err) {
    if (signal.aborted) return 'interrupted';
    log.error('what is due could not begin', { duty, err });
    return 'passing';
  }
}

function triggerOf({ isCatchUp }: Due): 'catch-up' | 'schedule' {
  return isCatchUp ? 'catch-up' : 'schedule';
}

function argsOf(duty: Duty, due: Due, { name, verify }: BackupJob): string[] {
  // It waits: somebody may have begun a run since we have looked.
  if (duty === 'run') return ['run', name, '--wait', '--trigger', triggerOf(due)];
  const sample = verify?.sampleBytes;
  return ['verify', '--job', name, ...(sample === undefined ? [] : ['--sample', String(sample)])];
}

/** Whether another process runs the job: a process of ours that only waits would keep other jobs from their turn. */
async function isRunning({ stateDir }: BackupJob): Promise<boolean> {
  try {
    using _ = await takeRunLock(stateDir);
    return false;
  } catch (error) {
    if (error instanceof IsyncError && error.code === 'BUSY') return true;
    throw error;
  }
}

/** @param error what ended the run, where its record tells */
export function endedBy(end: ChildEnd, error: string | undefined): Ended {
  if (end.kind !== 'exit') return 'passing';
  switch (end.code) {
    case EXIT.UNREACHABLE:
    case EXIT.DISK:
      return 'passing';
    case EXIT.PROBLEMS:
      // One of some targets may have failed, with its archive waiting here for the next run to go on with.
      return error !== undefined && isPassing(error) ? 'passing' : 'done';
    default:
      // Settings, credentials: that needs a person. Or a person has stopped it.
      return 'done';
  }
}

/** Whether it ended in a way that somebody must hear of; a run that has got as far as its record tells by itself. */
function isDeath(end: ChildEnd): boolean {
  return end.kind !== 'exit' || (end.code !== EXIT.DONE && end.code !== EXIT.INTERRUPTED);
}

/** By exit code; each other one is a fault of isync. */
const CODES: Readonly<Record<number, ErrorCode>> = {
  [EXIT.USAGE]: 'CONFIG_INVALID',
  [EXIT.REFUSED]: 'STORE_REFUSED',
  [EXIT.UNREACHABLE]: 'UNREACHABLE',
  [EXIT.DISK]: 'STORE_FAILED',
};

function errorOf(end: ChildEnd): { readonly code: ErrorCode; readonly message: string } {
  switch (end.kind) {
    case 'exit':
      return {
        code: CODES[end.code] ?? 'INTERNAL',
        message: `its process ended with exit code ${end.code} before it could begin; the log says why`,
      };
    case 'signal':
      return {
        code: 'INTERNAL',
        message: `its process was ended by ${end.name}, most often for want of memory`,
      };
    case 'not started':
      return { code: 'INTERNAL', message: `its process could not be started: ${end.error.message}` };
  }
}

function isPassing(code: string): boolean {
  return isCode(code) && 'retryable' in ERRORS[code];
}

function isCode(code: string): code is ErrorCode {
  return Object.hasOwn(ERRORS, code);
}

function describe(end: ChildEnd): Record<string, unknown> {
  if (end.kind === 'exit') return { exitCode: end.code };
  return end.kind === 'signal' ? { signal: end.name } : { err: end.error };
}
