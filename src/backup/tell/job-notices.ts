import type { BackupJob } from '../job.ts';
import type { RunRecord } from '../state/job-state.ts';
import type { NoticeQueue } from '../../notices/notice-queue.ts';
import {
  agedNotice,
  type AgeFacts,
  recoveredNotice,
  runNotice,
  type VerifyFacts,
  verifyNotice,
} from './notices-of.ts';

/** What is remembered across processes, by name in the file of the queue. */
const FAILING = 'failing';
const OVERDUE = 'overdue';
const WATCHED = 'watched';

export interface NewestBackup {
  /** The time that the newest complete backup of the job is of, in ms since the epoch; undefined: there is none. */
  readonly newestMs: number | undefined;
  readonly nowMs: number;
}

/** When people are told, and of what. No call throws or waits for anybody. */
export class JobNotices {
  readonly #job: Pick<BackupJob, 'name' | 'maxAgeMs'>;
  readonly #queue: Pick<NoticeQueue, 'tell' | 'since' | 'set'>;

  constructor(job: Pick<BackupJob, 'name' | 'maxAgeMs'>, queue: Pick<NoticeQueue, 'tell' | 'since' | 'set'>) {
    this.#job = job;
    this.#queue = queue;
  }

  /** A run has begun. A run that goes on after a kill begins again, with the same id. */
  started(run: RunRecord): void {
    this.#queue.tell(runNotice(this.#job.name, run, 'start'));
  }

  /**
   * A run has ended. One that was interrupted is no failure: it goes on with the next.
   * @param target which target failed, where one did: two that fail are two failures
   */
  ended(run: RunRecord, target?: string): void {
    const { name } = this.#job;
    const endedMs = run.endedMs ?? run.startedMs;
    switch (run.stage) {
      case 'done':
        this.#queue.tell(runNotice(name, run, 'success'));
        return this.#recover(endedMs, run);
      case 'problems':
        return this.#queue.tell(runNotice(name, run, 'problems', target));
      case 'failed':
        this.#queue.set(FAILING, endedMs);
        return this.#queue.tell(runNotice(name, run, 'failure', target));
      case 'before':
      case 'packing':
      case 'uploading':
      case 'finishing':
      case 'pruning':
      case 'interrupted':
        return;
    }
  }

  /** A verification has ended. One that found a fault is a failure. */
  verified(found: VerifyFacts): void {
    if (found.fault !== undefined) this.#queue.set(FAILING, found.atMs);
    this.#queue.tell(verifyNotice(this.#job.name, found));
  }

  /** Tells when the newest backup is too old, again each 6 h, and when that is over. The daemon calls it each minute. */
  looked({ newestMs, nowMs }: NewestBackup): void {
    const age = this.ageOf({ newestMs, nowMs });
    if (age === undefined) return;
    if (age.isOverdue) {
      this.#queue.set(OVERDUE, nowMs);
      return this.#queue.tell(agedNotice(this.#job.name, age));
    }
    // While runs fail, it is the end of that which is told.
    if (this.#queue.since(FAILING) === undefined) this.#recover(nowMs, undefined);
    else this.#queue.set(OVERDUE, undefined);
  }

  /** Undefined where the job has no `maxAge`. Without a backup, the age counts from the first look at the job. */
  ageOf({ newestMs, nowMs }: NewestBackup): AgeFacts | undefined {
    const { maxAgeMs } = this.#job;
    if (maxAgeMs === undefined) return undefined;
    this.#queue.set(WATCHED, nowMs);
    const sinceMs = newestMs ?? this.#queue.since(WATCHED) ?? nowMs;
    return { nowMs, newestMs, maxAgeMs, isOverdue: nowMs - sinceMs > maxAgeMs };
  }

  #recover(atMs: number, run: RunRecord | undefined): void {
    const since = [FAILING, OVERDUE].map((name) => this.#queue.since(name));
    const ended = [FAILING, OVERDUE].map((name) => this.#queue.set(name, undefined));
    if (!ended.includes(true)) return;
    const sinceMs = Math.min(...since.filter((one) => one !== undefined), atMs);
    this.#queue.tell(recoveredNotice(this.#job.name, { atMs, sinceMs, run }));
  }
}
