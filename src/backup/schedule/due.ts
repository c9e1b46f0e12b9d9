import { createHash } from 'node:crypto';
import { Cron } from 'croner';
import type { JobSchedule } from '../job.ts';
import type { Schedule } from './schedule.ts';

/**
 * The times of a schedule. A time that the clocks skip is due right after; one that they show twice, the first time only.
 * Schedules with a "*" or a step in their seconds, minutes or hours go on through both, as an interval would.
 * @param timezone IANA name, of a cron pattern
 */
export function scheduleOf(schedule: JobSchedule, timezone: string): Schedule {
  if (schedule.kind === 'every') {
    const { everyMs } = schedule;
    return {
      next: (afterMs) => afterMs + everyMs,
      last: (afterMs, untilMs) => {
        const times = Math.floor((untilMs - afterMs) / everyMs);
        return times > 0 ? afterMs + times * everyMs : undefined;
      },
    };
  }
  const cron = new Cron(schedule.pattern, {
    mode: '5-or-6-parts',
    timezone,
    fixedTimeRule: 'no-wildcard',
    paused: true,
  });
  return {
    next: (afterMs) => cron.nextRun(new Date(afterMs))?.getTime(),
    last: (afterMs, untilMs) => {
      const [found] = cron.previousRuns(1, new Date(untilMs + 1));
      return found !== undefined && found.getTime() > afterMs ? found.getTime() : undefined;
    },
  };
}

export interface Due {
  /** The time that a run is for. A run that was missed is for the last of the missed times: it is caught up once. */
  readonly dueMs: number;
  readonly isCatchUp: boolean;
}

/** A run that begins this much after its time was missed, in ms: by then the daemon was down, or the machine slept. */
const LATE_MS = 60_000;
/**
 * What is due at `nowMs`; undefined: nothing.
 * @param lastDueMs the time that the last run was for, or since when there is the schedule: see {@link sinceWhen}
 * @param jitterMs by how much a run may be put off
 */
export function dueAt(schedule: Schedule, lastDueMs: number, nowMs: number, jitterMs = 0): Due | undefined {
  const dueMs = schedule.last(lastDueMs, nowMs);
  if (dueMs === undefined) return undefined;
  return { dueMs, isCatchUp: nowMs - dueMs > LATE_MS + jitterMs };
}

/** A clock that goes back by less is being corrected, in ms: the same run must not be due twice for that. */
const CLOCK_CORRECTED_MS = 15 * 60_000;

/**
 * Since when a schedule counts, which is to be kept in the place of `lastDueMs`: now, where the last run was for a time in the future.
 * Then the clock was ahead, and the job would not run until that time had come again.
 */
export function sinceWhen(lastDueMs: number, nowMs: number): number {
  return lastDueMs - nowMs > CLOCK_CORRECTED_MS ? nowMs : lastDueMs;
}

/** How much later than `dueMs` a run begins, in ms: less than `jitterMs`, and the same after a restart. */
export function jitterOf(job: string, dueMs: number, jitterMs: number): number {
  if (jitterMs === 0) return 0;
  const hash = createHash('sha256').update(`${job}\0${dueMs}`).digest();
  return Math.floor((hash.readUInt32BE(0) / 2 ** 32) * jitterMs);
}
