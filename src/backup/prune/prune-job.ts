import type { Log } from '../../model/log.ts';
import type { Catalogue } from '../catalogue/catalogue.ts';
import { isVerificationFailing, judgedOf, standingsOf } from '../catalogue/standing.ts';
import type { BackupJob } from '../job.ts';
import { LIST_ENDING, MANIFEST_ENDING, MARK_ENDING } from '../names/backup-name.ts';
import { judge } from '../rules/judge.ts';
import { type PruneFacts, pruneBars } from '../rules/prune-bars.ts';
import type { PackRecords, TargetRecords } from '../state/job-state.ts';
import type { BackupTarget } from '../target/target.ts';
import type { Pruned } from './pruned.ts';
import { removeBackups } from './remove-backups.ts';
import { removeLitter } from './remove-litter.ts';
import { Remover } from './remover.ts';

/** What a prune knows of the job, and keeps of itself. */
export interface PruneState {
  readonly packs: Pick<PackRecords, 'find'>;
  readonly targets: Pick<
    TargetRecords,
    | 'upload'
    | 'verification'
    | 'keepVerifications'
    | 'noteRemoval'
    | 'endRemoval'
    | 'removals'
    | 'agreedVersion'
    | 'agree'
  >;
}

export interface PruneRequest {
  readonly job: Pick<BackupJob, 'name' | 'nameTemplate' | 'keep' | 'timezone'>;
  readonly target: BackupTarget;
  /** Of that target, read a moment ago: marks and backups that came later are not in it. */
  readonly catalogue: Catalogue;
  /** Whoever prunes holds the run lock. */
  readonly state: PruneState;
  /** How the run ended that it comes after; undefined: it comes after none. */
  readonly run: PruneFacts['run'];
  /** Whether the job of the store has the id of this state: after a run always. */
  readonly isOwn: boolean;
  /** A person has looked at the backups that are there: that some are half of those before is right. Default: nobody has. */
  readonly isAgreed?: boolean | undefined;
  /** Tells all, removes nothing, writes nothing down. */
  readonly isDryRun: boolean;
  readonly log: Log;
  readonly signal: AbortSignal;
  readonly now?: (() => number) | undefined;
}

/**
 * Removes from one target what the rule of the job does not keep, and what killed runs have left. That a store has no right to give is
 * in the result, and told once in the log. Killed anywhere it has done no harm, and the next one goes on.
 *
 * That a person agrees with how small the backups of this target are is kept in the state, and runs prune it again.
 * @throws IsyncError where the store fails for long, or the state; the reason of the signal
 */
export async function pruneJob(request: PruneRequest): Promise<Pruned> {
  const {
    job,
    target,
    catalogue,
    state,
    run,
    isAgreed = false,
    isDryRun,
    log,
    signal,
    now = Date.now,
  } = request;
  const records = state.targets;
  const agreedVersion = records.agreedVersion(target.name);
  const standings = standingsOf(catalogue, target.name, records);
  const bars = pruneBars({
    run,
    isVerificationFailing: isVerificationFailing(standings),
    isShrunk:
      !isAgreed &&
      catalogue.backups.some(({ manifest }) => manifest.isShrunk && manifest.version > agreedVersion),
    unreadable: catalogue.unreadable.filter(({ key }) => !key.endsWith(MARK_ENDING)).length,
    clockAheadMs: target.clockAheadMs,
  });
  const remover = bars.length > 0 ? undefined : new Remover(target, { isDryRun, log, signal });
  const removes = remover !== undefined && !isDryRun;
  if (removes && isAgreed) records.agree(target.name, catalogue.backups[0]?.manifest.version ?? 0);
  const packs = state.packs.find();
  const shared = {
    target,
    remover,
    records,
    log,
    spared: new Set(
      packs.flatMap(({ name }) => [name, `${name}${LIST_ENDING}`, `${name}${MANIFEST_ENDING}`]),
    ),
    nowMs: now() - (target.clockAheadMs ?? 0),
  };
  const verdicts = judge(judgedOf(standings), job.keep, job.timezone);
  const backups = await removeBackups({
    ...shared,
    verdicts,
    backups: catalogue.backups,
    isExact: run === undefined,
  });
  const pending = new Set(packs.map(({ version }) => records.upload(target.name, version)?.id ?? ''));
  const litter = await removeLitter({ ...shared, job, catalogue, pending, isOwn: request.isOwn, signal });
  if (removes) keepVerifications(request, backups);
  const denied = remover?.denied;
  if (denied !== undefined)
    log.warn('backups that are due are not removed: there is no right to', {
      target: target.name,
      err: denied,
    });
  return { target: target.name, bars, backups, litter, denied };
}

/** What was found of an archive counts for as long as some backup needs it. */
function keepVerifications({ target, catalogue, state }: PruneRequest, pruned: Pruned['backups']): void {
  const gone = new Set(pruned.filter(({ fate }) => fate === 'removed').map(({ version }) => version));
  const left = catalogue.backups.filter(({ manifest }) => !gone.has(manifest.version));
  const versions = left.flatMap(({ manifest }) => manifest.needs.map(({ version }) => version));
  state.targets.keepVerifications(target.name, new Set(versions));
}
