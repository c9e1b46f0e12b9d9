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
  const { state, keeper, log, now } = context;
  const served = new Set<string>();
  for (const pack of state.packs.find()) {
    const { name, version, targets } = pack;
    const reachable = targets.filter((target) => context.surveyed.has(target));
    const away = targets.filter((target) => context.failures.has(target));
    // It is for others, who may be back tomorrow.
    if (reachable.length === 0 && away.length > 0 && isRecent(pack, now())) continue;
    const base = await baseOf(context, pack);
    const why =
      unusable(context, pack, away) ?? (base === 'lost' ? 'its base is not whole any more' : undefined);
    if (why !== undefined || base === 'lost' || reachable.length === 0) {
      log.warn('what an earlier run has begun is dropped', {
        backup: name,
        why: why ?? 'its targets are gone',
      });
      await endArchive(context, version);
      continue;
    }
    keeper.update({ type: pack.type });
    const isMade = reachable.some((target) => hasManifest(context, target, version));
    const reason =
      base === undefined
        ? 'an earlier run has begun it'
        : `since version ${base.version}, an earlier run has begun it`;
    log.info('a run goes on with what an earlier one has begun', {
      backup: name,
      isPacked: pack.packed !== undefined,
    });
    await goOn(context, { pack, base, reason, targets: reachable });
    if (isOwn(pack) || !isMade) for (const target of reachable) served.add(target);
  }
  return served;
}

function unusable(
  { request, state, now }: RunContext,
  pack: PackRecord,
  away: readonly string[],
): string | undefined {
  if (!isRecent(pack, now())) return 'it was begun too long ago';
  if (request.type === 'full' && pack.type !== 'full') return 'a full one is asked for';
  // Packed again it may turn out another one, and what is there must stay the one that our list is of.
  if (away.some((target) => state.targets.upload(target, pack.version)?.outcome === 'complete'))
    return 'a target that has it already can not be reached';
  return undefined;
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
