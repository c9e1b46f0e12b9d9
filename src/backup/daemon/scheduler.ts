import { TaskGroup } from '../../flow/task-group.ts';
import { Wakeup } from '../../flow/wake-up.ts';
import type { Log } from '../../model/log.ts';
import type { Due } from '../schedule/due.ts';
import type { Duty } from './kept-times.ts';
import type { Ended, Timetable } from './timetable.ts';

/** Duties under way, of all jobs: each may take 300 MB, and a few fill any disk and line. The others wait, those longest due first. */
const MOST_AT_ONCE = 4;
/**
 * Longest sleep, in ms. Timers stand still while a machine sleeps, and know nothing of a clock that is set: so the clock is looked at this
 * often, however far away the next time is.
 */
const LONGEST_SLEEP_MS = 20_000;

/** Something that a job does by a schedule. */
export interface ScheduledDuty {
  readonly job: string;
  readonly duty: Duty;
  readonly timetable: Timetable;
  /** Does it. Never rejects; ends soon after the signal fires. */
  readonly work: (due: Due, signal: AbortSignal) => Promise<Ended>;
}

interface Ready extends ScheduledDuty {
  readonly due: Due;
}

/** Begins what is due, one duty of a job at a time. */
export class Scheduler {
  readonly #log: Log;
  readonly #duties: ScheduledDuty[] = [];
  /** By job: what was done last. A run that takes longer than its interval must leave a turn to the verification. */
  readonly #last = new Map<string, Duty>();
  /** Jobs of which something is under way. */
  readonly #busy = new Set<string>();
  readonly #tasks = new TaskGroup();
  readonly #wakeup = new Wakeup();

  constructor(log: Log) {
    this.#log = log;
  }

  add(duties: readonly ScheduledDuty[]): void {
    this.#duties.push(...duties);
    this.#wakeup.wake();
  }

  /** Returns when the signal has fired and all that was under way has ended. Never rejects. */
  async follow(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      this.#begin(signal);
      await this.#wakeup.sleep(this.#sleepMs(), signal);
    }
    await this.#tasks.idle();
  }

  #begin(signal: AbortSignal): void {
    for (const ready of this.#ready(Date.now())) {
      if (this.#busy.size >= MOST_AT_ONCE) return;
      this.#busy.add(ready.job);
      this.#tasks.add(this.#do(ready, signal));
    }
  }

  /** Those that were due first come first. Of one job what was not done last; else its run, for what that makes can be verified then. */
  #ready(nowMs: number): Ready[] {
    const byJob = new Map<string, Ready>();
    for (const one of this.#duties) {
      const { job } = one;
      const other = byJob.get(job);
      if (this.#busy.has(job) || (other !== undefined && !this.#goesBefore(one, other))) continue;
      const due = one.timetable.look(nowMs);
      if (due !== undefined) byJob.set(job, { ...one, due });
    }
    return [...byJob.values()].toSorted((a, b) => a.due.dueMs - b.due.dueMs);
  }

  #goesBefore({ job, duty }: ScheduledDuty, other: ScheduledDuty): boolean {
    const last = this.#last.get(job);
    return last === undefined ? duty === 'run' : other.duty === last;
  }

  async #do({ job, duty, due, timetable, work }: Ready, signal: AbortSignal): Promise<void> {
    const ended = await work(due, signal);
    const waitMs = timetable.ended(due, ended, Date.now());
    const what = { job, duty, due: new Date(due.dueMs).toISOString() };
    if (ended === 'passing' && waitMs === undefined)
      this.#log.error('it has failed again, and waits for its next time', what);
    else if (ended === 'passing') this.#log.info('it is tried again', { ...what, inMs: waitMs });
    this.#last.set(job, duty);
    this.#busy.delete(job);
    this.#wakeup.wake();
  }

  #sleepMs(): number {
    const nowMs = Date.now();
    // Where there is no room, the end of something wakes us.
    if (this.#busy.size >= MOST_AT_ONCE) return LONGEST_SLEEP_MS;
    const next = this.#duties
      .filter(({ job }) => !this.#busy.has(job))
      .map(({ timetable }) => timetable.nextMs(nowMs));
    return Math.min(LONGEST_SLEEP_MS, Math.max(0, Math.min(Infinity, ...next) - nowMs));
  }
}
