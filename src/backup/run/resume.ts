import type { BackupType } from '../job.ts';
import type { Manifest } from '../manifest/manifest.ts';
import type { PackRecord, RunRecord } from '../state/job-state.ts';
import { goOn } from './carry-out.ts';
import { filesOf, isThere } from './local-files.ts';
import { endArchive } from './make-archive.ts';
import type { RunContext } from './run-context.ts';

/** An archive that was begun this long ago is not gone on with, in ms: it would be a backup of another day. */
export const MAX_RESUME_AGE_MS = 24 * 3_600_000;

/** Whether a run has been killed, or stopped: the next one is the same run. */
export function isInterrupted(run: RunRecord | undefined): boolean {
  return run !== undefined && (run.endedMs === undefined || run.stage === 'interrupted');
}

/** The run that the next one is a part of; undefined: it is one of its own. */
export function interruptedRun(
  runs: readonly RunRecord[],
  packs: readonly PackRecord[],
  nowMs: number,
): RunRecord | undefined {
  return packs
    .filter((pack) => isRecent(pack, nowMs))
    .map(({ run }) => runs.find(({ id }) => id === run))
    .findLast(isInterrupted);
}

export function isRecent({ startedMs }: Pick<PackRecord, 'startedMs'>, nowMs: number): boolean {
  return Math.abs(nowMs - startedMs) <= MAX_RESUME_AGE_MS;
}

/**
 * Goes on with what runs before have begun, or drops it. Returns the targets that have their backup of this run by that, or have failed.
 * Of an archive that some target has as a backup since a run that had ended, the others get it now, and a new one beside.
 * @param isOwn whether a pack was begun by the run that this one is a part of
 */
export async function resumePacks(
  context: RunContext,
  isOwn: (pack: PackRecord) => boolean,
): Promise<ReadonlySet<string>> {
  const { state, log, now, request } = context;
  const served = new Set<string>();
  for (const pack of state.packs.find()) {
    const { name, version, targets } = pack;
    const reachable = targets.filter((target) => context.surveyed.has(target));
    const why = isRecent(pack, now()) ? unusable(pack, request.type) : 'it was begun too long ago';
    const base = await baseOf(context, pack);
    if (why !== undefined || base === 'lost') {
      log.warn('what an earlier run has begun is dropped', { backup: name, why: why ?? 'its base is not usable' });
      await endArchive(context, version);
      continue;
    }
    // Whoever else it is for can not be reached today.
    if (reachable.length === 0) {
      if (!targets.some((target) => context.failures.has(target))) await endArchive(context, version);
      continue;
    }
    const isMade = reachable.some((target) => hasManifest(context, target, version));
    const reason = base === undefined ? 'an earlier run has begun it' : `since version ${base.version}, an earlier run has begun it`;
    log.info('a run goes on with what an earlier one has begun', { backup: name, isPacked: pack.packed !== undefined });
    await goOn(context, { pack, base, reason, targets: reachable });
    if (isOwn(pack) || !isMade) for (const target of reachable) served.add(target);
  }
  return served;
}

function unusable({ type }: PackRecord, asked: BackupType | undefined): string | undefined {
  return asked === 'full' && type !== 'full' ? 'a full one is asked for' : undefined;
}

function hasManifest({ surveyed }: RunContext, target: string, version: number): boolean {
  const found = surveyed.get(target);
  return found?.catalogue.backups.some(({ manifest }) => manifest.version === version) === true;
}

/** The base of an incremental archive, which each target must have still, whole. */
async function baseOf(
  { surveyed, request }: RunContext,
  { base, targets }: PackRecord,
): Promise<Manifest | undefined | 'lost'> {
  if (base === undefined) return undefined;
  if (!(await isThere(filesOf(request.job.stateDir, base).list))) return 'lost';
  let found: Manifest | undefined;
  for (const name of targets) {
    const standings = surveyed.get(name)?.standings;
    if (standings === undefined) continue;
    const standing = standings.find(({ backup }) => backup.manifest.version === base);
    if (standing === undefined || standing.fault !== undefined) return 'lost';
    found = standing.backup.manifest;
  }
  return found ?? 'lost';
}
