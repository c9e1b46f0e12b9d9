import type { JobState } from '../state/job-state.ts';
import { filesOf, isThere } from './local-files.ts';
import { planBackups, type PlannedBackup } from './plan-backups.ts';
import type { RunRequest } from './run-request.ts';
import type { Surveyed } from './survey.ts';

/** Newest backups of a target, of which one that is whole may be a base; more that are damaged one behind the other make a full one. */
const BASES = 10;

/** What these targets are to get. */
export async function planFor(
  surveyed: readonly Surveyed[],
  {
    request,
    state,
    now,
  }: {
    readonly request: Pick<RunRequest, 'job' | 'type'>;
    readonly state: JobState;
    readonly now: () => number;
  },
): Promise<PlannedBackup[]> {
  const { job, type } = request;
  const lists = new Set<number>();
  for (const { standings } of surveyed)
    for (const { backup } of standings.slice(0, BASES)) {
      const { version } = backup.manifest;
      if (await isThere(filesOf(job.stateDir, version).list)) lists.add(version);
    }
  const facts = surveyed.map(({ target: { name }, standings, isAdopted }) => ({
    name,
    standings,
    isAdopted,
  }));
  return planBackups(facts, {
    job,
    asked: type,
    jobId: state.jobId,
    hasList: (version) => lists.has(version),
    nowMs: now(),
  });
}
