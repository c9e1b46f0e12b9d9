import { join } from 'node:path';
import { lockHolder } from '../../sqlite/lock-holder.ts';
import type { BackupJob } from '../job.ts';
import { decodeManifest } from '../manifest/manifest-codec.ts';
import type { Manifest } from '../manifest/manifest.ts';
import { MANIFEST_ENDING } from '../names/backup-name.ts';
import { MAX_RESUME_AGE_MS } from '../run/resume.ts';
import { scheduleOf } from '../schedule/due.ts';
import type { JobState, PackRecord, RunRecord } from '../state/job-state.ts';
import { LOCK_FILE } from '../state/run-lock.ts';

/** How a job stands, by the state of this machine alone. Times are in ms since the epoch. */
export interface JobReport {
  readonly job: string;
  /** Process that runs it now. */
  readonly runningPid: number | undefined;
  readonly lastRun: RunRecord | undefined;
  /** The newest first; of a target that was never listed from here, undefined. */
  readonly targets: readonly { readonly target: string; readonly newest: Manifest | undefined }[];
  /** Undefined: it has no schedule. */
  readonly nextDueMs: number | undefined;
  /** What the next run goes on with. */
  readonly resumable: readonly Pick<
    PackRecord,
    'name' | 'targets' | 'startedMs' | 'isOverflowed' | 'packed'
  >[];
  /** What a person should look at; each is a sentence without its job. */
  readonly problems: readonly string[];
}

export interface ReportOptions {
  readonly job: BackupJob;
  /** Names of its targets, as the state has them. */
  readonly targets: readonly string[];
  /** Undefined: the job has never run here. */
  readonly state: JobState | undefined;
  readonly nowMs: number;
}

export function jobReport({ job, targets, state, nowMs }: ReportOptions): JobReport {
  const [lastRun] = state?.runs.list(1) ?? [];
  const runningPid = lockHolder(join(job.stateDir, LOCK_FILE));
  const found = targets.map((target) => {
    const manifests = state === undefined ? [] : manifestsOf(state, target);
    return { target, newest: manifests[0], shrunk: manifests.find(isNotAgreed(state, target)) };
  });
  const resumable = (state?.packs.find() ?? []).filter(
    ({ startedMs }) => Math.abs(nowMs - startedMs) <= MAX_RESUME_AGE_MS,
  );
  const facts = { job, state, lastRun, found, isRunning: runningPid !== undefined, nowMs };
  return {
    job: job.name,
    runningPid,
    lastRun,
    targets: found.map(({ target, newest }) => ({ target, newest })),
    nextDueMs: nextDueMs(job, lastRun, nowMs),
    resumable,
    problems: [...runProblems(facts), ...targetProblems(facts)],
  };
}

interface Facts {
  readonly job: BackupJob;
  readonly state: JobState | undefined;
  readonly lastRun: RunRecord | undefined;
  /** `shrunk`: the newest that keeps what is there from being pruned, for its size. */
  readonly found: readonly (JobReport['targets'][number] & { readonly shrunk: Manifest | undefined })[];
  readonly isRunning: boolean;
  readonly nowMs: number;
}

function runProblems({ lastRun, isRunning }: Facts): string[] {
  if (lastRun === undefined) return ['it has never run on this machine'];
  const { stage, error, problems, endedMs } = lastRun;
  const why = error === undefined ? '' : `: ${error.message} [${error.code}]`;
  if (stage === 'failed') return [`the last run has failed${why}`];
  if (stage === 'problems') return [`the last run has had ${problems} problems${why}`];
  const isCut = stage === 'interrupted' || endedMs === undefined;
  return isCut && !isRunning ? ['the last run was interrupted, and nobody has gone on with it'] : [];
}

function targetProblems({ job, state, found, nowMs }: Facts): string[] {
  const newestOfAll = Math.max(0, ...found.map(({ newest }) => newest?.version ?? 0));
  return found.flatMap(({ target, newest, shrunk }) => {
    if (newest === undefined) return newestOfAll === 0 ? [] : [`no backup is known at ${target}`];
    const fault = state?.targets.verification(target, newest.version)?.fault;
    const ageMs = nowMs - newest.startedMs;
    return [
      ...(fault === undefined ? [] : [`${newest.name} at ${target} is damaged: ${fault}`]),
      ...(shrunk === undefined
        ? []
        : [
            `${shrunk.name} is half of the one before or less: nothing is pruned at ${target} until "isync backup prune --agree" has been run on this machine`,
          ]),
      ...(job.maxAgeMs !== undefined && ageMs > job.maxAgeMs
        ? [`the newest backup at ${target} is older than "maxAge" allows`]
        : []),
    ];
  });
}

/** The newest first. */
function manifestsOf(state: JobState, target: string): Manifest[] {
  const manifests: Manifest[] = [];
  for (const { key, bytes } of state.targets.allCached(target)) {
    const manifest = key.endsWith(MANIFEST_ENDING) ? readable(bytes, key) : undefined;
    if (manifest !== undefined) manifests.push(manifest);
  }
  return manifests.toSorted((a, b) => b.version - a.version);
}

function isNotAgreed(state: JobState | undefined, target: string): (manifest: Manifest) => boolean {
  const agreed = state?.targets.agreedVersion(target) ?? 0;
  return ({ isShrunk, version }) => isShrunk && version > agreed;
}

/** One that can't be read is no backup. */
function readable(bytes: Uint8Array, key: string): Manifest | undefined {
  try {
    return decodeManifest(bytes, key);
  } catch {
    return undefined;
  }
}

function nextDueMs(
  { schedule, timezone }: BackupJob,
  lastRun: RunRecord | undefined,
  nowMs: number,
): number | undefined {
  if (schedule === undefined) return undefined;
  const sinceMs = schedule.kind === 'every' && lastRun !== undefined ? lastRun.startedMs : nowMs;
  const nextMs = scheduleOf(schedule, timezone).next(sinceMs);
  return nextMs === undefined ? undefined : Math.max(nextMs, nowMs);
}
