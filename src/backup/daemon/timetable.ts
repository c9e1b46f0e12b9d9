import type { JobSchedule } from '../job.ts';
import { type Due, dueAt, jitterOf, sinceWhen } from '../schedule/due.ts';
import type { Schedule } from '../schedule/schedule.ts';

/** From a failure that may pass to the next try, in ms. After the last one it is the schedule's turn again: no job fails for ever in a loop. */
const RETRY_WAITS_MS = [5 * 60_000, 20 * 60_000, 60 * 60_000] as const;
/** Somebody else runs the job: it is looked again this much later, in ms. A try to take a lock costs next to nothing. */
const BUSY_WAIT_MS = 5000;

/** How something that was due has ended. */
export type Ended =
  /** It counts as done, whatever it had to say: the next time of the schedule is for the next one. */
  | 'done'
  /** It failed, and may succeed without anybody's help: a network, a full disk, a process that was killed. */
  | 'passing'
  /** Another process is at it. That is no failure, and its turn comes. */
  | 'busy'
  /** We are ending. It is due at the next start, where it goes on. */
  | 'interrupted';

export interface TimetableOptions {
  readonly schedule: Schedule;
  /** What the jitter depends on, so that it is the same after a restart: the name of the job. */
  readonly name: string;
  readonly jitterMs: number;
  /** The time that the last one was for, or since when the schedule counts: see {@link firstSince}. */
  readonly sinceMs: number;
  /** Called when that changes, to be kept across processes. Must not throw. */
  readonly keep: (sinceMs: number) => void;
}

/** When something of a job is due, by its schedule, and by what became of it the last times. Times are in ms since the epoch. */
export class Timetable {
  readonly #schedule: Schedule;
  readonly #name: string;
  readonly #jitterMs: number;
  readonly #keep: (sinceMs: number) => void;
  #sinceMs: number;
  /** The first time after `#sinceMs`; a pattern is not asked at each look. */
  #nextMs: number;
  #again: { readonly dueMs: number; readonly failures: number; readonly atMs: number } | undefined;

  constructor({ schedule, name, jitterMs, sinceMs, keep }: TimetableOptions) {
    this.#schedule = schedule;
    this.#name = name;
    this.#jitterMs = jitterMs;
    this.#keep = keep;
    this.#sinceMs = sinceMs;
    this.#nextMs = schedule.next(sinceMs) ?? Infinity;
  }

  /** What is to begin now. What was missed many times is due once. */
  look(nowMs: number): Due | undefined {
    this.#set(sinceWhen(this.#sinceMs, nowMs));
    const due = this.#pending(nowMs);
    return due !== undefined && nowMs >= this.#startMs(due, nowMs) ? due : undefined;
  }

  /** When there is something to look at again, if no clock is set; Infinity: never. */
  nextMs(nowMs: number): number {
    const due = this.#pending(nowMs);
    return due === undefined ? this.#nextMs : this.#startMs(due, nowMs);
  }

  /** Takes note of how what `look` has returned ended. Returns how long it waits for another try, in ms; undefined: there is none. */
  ended({ dueMs }: Due, how: Ended, nowMs: number): number | undefined {
    if (how === 'interrupted') return undefined;
    const before = this.#again?.dueMs === dueMs ? this.#again.failures : 0;
    const failures = before + (how === 'passing' ? 1 : 0);
    const waitMs =
      how === 'busy' ? BUSY_WAIT_MS : how === 'passing' ? RETRY_WAITS_MS[failures - 1] : undefined;
    if (waitMs === undefined) this.#set(dueMs);
    this.#again = waitMs === undefined ? undefined : { dueMs, failures, atMs: nowMs + waitMs };
    return waitMs;
  }

  #pending(nowMs: number): Due | undefined {
    if (nowMs < this.#nextMs) return undefined;
    return (
      dueAt(this.#schedule, this.#sinceMs, nowMs, this.#jitterMs) ?? { dueMs: this.#nextMs, isCatchUp: false }
    );
  }

  #startMs({ dueMs }: Due, nowMs: number): number {
    if (this.#again?.dueMs === dueMs) {
      const { atMs } = this.#again;
      // A wait that is longer than any of ours is of a clock that was set back.
      return atMs - nowMs > Math.max(...RETRY_WAITS_MS) ? nowMs : atMs;
    }
    // A longer one would put off each time behind the next, and none would ever come.
    const gapMs = (this.#schedule.next(dueMs) ?? Infinity) - dueMs;
    return dueMs + jitterOf(this.#name, dueMs, Math.min(this.#jitterMs, gapMs));
  }

  #set(sinceMs: number): void {
    if (sinceMs === this.#sinceMs) return;
    this.#sinceMs = sinceMs;
    this.#nextMs = this.#schedule.next(sinceMs) ?? Infinity;
    this.#keep(sinceMs);
  }
}

export interface KnownTimes {
  /** That a daemon has kept; undefined where none has run the job. */
  readonly keptMs: number | undefined;
  /** When the last run began that has made a backup, by hand too: it stands for all times before it. */
  readonly lastRunMs: number | undefined;
}

/** Since when a schedule counts at the start of a daemon. A job of an interval that has never run is due at once. */
export function firstSince(schedule: JobSchedule, { keptMs, lastRunMs }: KnownTimes, nowMs: number): number {
  const known = [keptMs, lastRunMs].filter((ms) => ms !== undefined);
  if (known.length > 0) return Math.max(...known);
  return schedule.kind === 'every' ? nowMs - schedule.everyMs : nowMs;
}
