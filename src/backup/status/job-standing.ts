import type { BackupJob } from '../job.ts';
import type { Manifest } from '../manifest/manifest.ts';
import type { JobState, VerificationRecord } from '../state/job-state.ts';
import type { JobNotices } from '../tell/job-notices.ts';
import type { NoticeQueue } from '../../notices/notice-queue.ts';
import type { JobStanding } from './metrics.ts';

/** Runs that are looked at: the last that ended well may be some back. */
const RUNS = 100;

export interface StandingSources {
  readonly job: Pick<BackupJob, 'name' | 'maxAgeMs'>;
  readonly state: Pick<JobState, 'runs' | 'targets'>;
  readonly queue: Pick<NoticeQueue, 'counts'>;
  readonly notices: Pick<JobNotices, 'ageOf'>;
  /** By name of the target: the complete backups that it had when it was last listed. */
  readonly backups: ReadonlyMap<string, readonly Pick<Manifest, 'version' | 'startedMs'>[]>;
  readonly nowMs: number;
}

/** How a job stands, by its state and what is known of its stores. Asks no store. */
export function jobStanding(sources: StandingSources): JobStanding {
  const { job, state, queue, notices, nowMs } = sources;
  const newestMs = newestOf(sources, (found) => found?.fault === undefined);
  return {
    job: job.name,
    runs: state.runs.list(RUNS),
    newestMs: maxOf(newestMs.values()),
    verifiedMs: newestOf(sources, isReadBack),
    faults: faultsOf(sources),
    maxAgeMs: job.maxAgeMs,
    isOverdue: notices.ageOf({ newestMs: maxOf(newestMs.values()), nowMs })?.isOverdue ?? false,
    notices: queue.counts(),
  };
}

/** Of manifests and sizes alone nobody knows that the bytes are there. */
function isReadBack(found: VerificationRecord | undefined): boolean {
  return found !== undefined && found.fault === undefined && found.depth !== 'shallow';
}

function faultsOf({ state, backups }: StandingSources): ReadonlyMap<string, string> {
  const faults = new Map<string, string>();
  for (const [target, its] of backups) {
    const newestFirst = its.toSorted((one, other) => other.version - one.version);
    const fault = newestFirst
      .map(({ version }) => state.targets.verification(target, version)?.fault)
      .find((found) => found !== undefined);
    if (fault !== undefined) faults.set(target, fault);
  }
  return faults;
}

/** By target: the time that the newest backup is of whose verification is as asked for. */
function newestOf(
  { state, backups }: StandingSources,
  isWanted: (found: VerificationRecord | undefined) => boolean,
): ReadonlyMap<string, number> {
  const newest = new Map<string, number>();
  for (const [target, its] of backups) {
    const wanted = its.filter(({ version }) => isWanted(state.targets.verification(target, version)));
    // By version: a clock may have been wrong.
    const last = wanted.reduce<(typeof wanted)[number] | undefined>(
      (one, other) => (one === undefined || other.version > one.version ? other : one),
      undefined,
    );
    if (last !== undefined) newest.set(target, last.startedMs);
  }
  return newest;
}

function maxOf(values: Iterable<number>): number | undefined {
  const all = [...values];
  return all.length === 0 ? undefined : Math.max(...all);
}
