import type { Standing } from '../catalogue/standing.ts';
import type { BackupJob, BackupType } from '../job.ts';
import type { Manifest } from '../manifest/manifest.ts';

/** A full backup that was made this much before its time counts as made in time, in ms: runs don't begin to the second. */
const EARLY_MS = 15 * 60_000;
/** The same as a share of the interval. */
const EARLY_SHARE = 0.1;
/** A backup that is of a later time than this, in ms from now, was made while the clock was ahead. */
const AHEAD_MS = 15 * 60_000;

export interface TargetFacts {
  readonly name: string;
  /** The newest first. */
  readonly standings: readonly Standing[];
  readonly isAdopted: boolean;
}

export interface PlanOptions {
  readonly job: Pick<BackupJob, 'fullEveryMs' | 'jitterMs'>;
  readonly asked: BackupType | undefined;
  /** Of this machine: lists of others are not here. */
  readonly jobId: string;
  /** Whether the list of a version is on this machine. */
  readonly hasList: (version: number) => boolean;
  readonly nowMs: number;
}

export interface PlannedBackup {
  readonly type: BackupType;
  readonly base: Manifest | undefined;
  /** Why, for people. */
  readonly reason: string;
  /** Names. */
  readonly targets: readonly string[];
}

type Choice = { readonly base: Manifest } | { readonly why: string };

/**
 * What a run makes: an incremental backup for the targets that have the newest base, a full one for the others. So there are two at most, and
 * the incremental one comes first.
 */
export function planBackups(facts: readonly TargetFacts[], options: PlanOptions): PlannedBackup[] {
  const chosen = facts.map((each) => ({ name: each.name, choice: chooseFor(each, options) }));
  const bases = chosen.flatMap(({ choice }) => ('base' in choice ? [choice.base] : []));
  const base = bases.toSorted((a, b) => b.version - a.version)[0];
  const onBase = chosen.filter(({ choice }) => 'base' in choice && choice.base.version === base?.version);
  const others = chosen.filter((each) => !onBase.includes(each));
  const planned: PlannedBackup[] = [];
  if (base !== undefined)
    planned.push({
      type: 'incremental',
      base,
      reason: `what has changed since version ${base.version}`,
      targets: onBase.map(({ name }) => name),
    });
  if (others.length > 0) {
    const reasons = others.map(({ choice }) =>
      'why' in choice ? choice.why : `it lacks version ${base?.version ?? 0}`,
    );
    planned.push({
      type: 'full',
      base: undefined,
      reason: [...new Set(reasons)].join('; '),
      targets: others.map(({ name }) => name),
    });
  }
  return planned;
}

function chooseFor({ standings, isAdopted }: TargetFacts, options: PlanOptions): Choice {
  const { job, asked, jobId, hasList, nowMs } = options;
  if (asked === 'full') return { why: 'asked for' };
  if (asked === undefined && job.fullEveryMs === undefined) return { why: 'the job makes full ones only' };
  if (isAdopted) return { why: 'another machine has made the backups so far' };
  const newest = standings.find(({ fault }) => fault === undefined)?.backup.manifest;
  if (newest === undefined)
    return { why: standings.length === 0 ? 'there is no backup yet' : 'no backup is whole' };
  const damaged = damagedSinceFull(standings);
  if (damaged !== undefined) return { why: `${damaged} is damaged` };
  if (asked === undefined && job.fullEveryMs !== undefined) {
    const early = Math.min(EARLY_MS, job.fullEveryMs * EARLY_SHARE) + job.jitterMs;
    const sinceMs = newestFullMs(standings);
    if (sinceMs === undefined || nowMs - sinceMs + early >= job.fullEveryMs || sinceMs > nowMs + AHEAD_MS)
      return { why: 'the last full one is old enough' };
  }
  if (newest.jobId !== jobId) return { why: 'another machine has made the newest backup' };
  if (!hasList(newest.version))
    return { why: `the list of version ${newest.version} is not on this machine` };
  return { base: newest };
}

/** The name of a backup that is damaged, where no whole full one is newer. */
function damagedSinceFull(standings: readonly Standing[]): string | undefined {
  for (const { backup, fault } of standings) {
    if (fault !== undefined) return backup.manifest.name;
    if (backup.manifest.type === 'full') return undefined;
  }
  return undefined;
}

function newestFullMs(standings: readonly Standing[]): number | undefined {
  return standings.find(({ backup, fault }) => fault === undefined && backup.manifest.type === 'full')?.backup
    .manifest.startedMs;
}
