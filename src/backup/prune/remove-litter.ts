import type { Log } from '../../model/log.ts';
import type { Catalogue } from '../catalogue/catalogue.ts';
import type { BackupJob } from '../job.ts';
import { highestVersionIn } from '../names/backup-name.ts';
import type { TargetRecords } from '../state/job-state.ts';
import type { BackupTarget, TargetUpload } from '../target/target.ts';
import type { PrunedLitter } from './pruned.ts';
import { keysOf } from './remove-backups.ts';
import type { Remover } from './remover.ts';

/** Age in ms from which what no manifest names is litter: a run that was killed is gone on with for a day. */
export const LITTER_MS = 48 * 3_600_000;

export interface LitterRequest {
  readonly job: Pick<BackupJob, 'name' | 'nameTemplate'>;
  readonly target: BackupTarget;
  readonly catalogue: Catalogue;
  /** Keys of archives under way, with what will stand beside them; and the ids of their uploads. */
  readonly spared: ReadonlySet<string>;
  readonly pending: ReadonlySet<string>;
  /** Whether this machine makes the backups of the store. Of another one nobody here knows what it is about. */
  readonly isOwn: boolean;
  /** Undefined: nothing is removed, all is told. */
  readonly remover: Remover | undefined;
  readonly records: Pick<TargetRecords, 'removals' | 'endRemoval'>;
  readonly log: Log;
  readonly signal: AbortSignal;
  /** By the clock of the store, in ms since the epoch. */
  readonly nowMs: number;
}

/** Removes what runs and prunes have left that were killed: objects that no manifest names, and uploads that nobody goes on with. */
export async function removeLitter(request: LitterRequest): Promise<readonly PrunedLitter[]> {
  return [...(await removeOrphans(request)), ...(await abortUploads(request))];
}

async function removeOrphans(request: LitterRequest): Promise<readonly PrunedLitter[]> {
  const { target, remover, records, log } = request;
  const litter: PrunedLitter[] = [];
  for (const key of orphansOf(request)) {
    const fate = remover === undefined || remover.isDryRun ? 'due' : fateOf(await remover.remove(key));
    if (fate === 'removed') {
      records.endRemoval(target.name, [key]);
      log.info('what no backup needs is removed', { target: target.name, key });
    }
    litter.push({ kind: 'object', key, fate });
  }
  return litter;
}

/** An archive comes after what stands beside it. */
function orphansOf(request: LitterRequest): string[] {
  const { job, target, catalogue, spared, isOwn, records, nowMs } = request;
  const { backups, unreadable, objects } = catalogue;
  // What can't be read may name any of them.
  if (unreadable.length > 0) return [];
  const named = new Set([...backups.flatMap(({ manifest }) => keysOf(manifest)), ...spared]);
  const begun = records.removals(target.name);
  const newest = backups[0]?.manifest.version ?? 0;
  const orphans = [...objects.values()].filter(({ key, modifiedMs }) => {
    if (named.has(key)) return false;
    if (begun.has(key)) return true;
    // What is called otherwise is none of ours: somebody has put it there.
    const version = highestVersionIn([key], job.nameTemplate, job.name);
    if (version === 0 || nowMs - modifiedMs < LITTER_MS) return false;
    return isOwn || version < newest;
  });
  return orphans
    .map(({ key }) => key)
    .toSorted()
    .toReversed();
}

async function abortUploads(request: LitterRequest): Promise<readonly PrunedLitter[]> {
  const { target, pending, isOwn, remover, log, signal, nowMs } = request;
  if (!isOwn) return [];
  const stale: TargetUpload[] = [];
  for await (const upload of target.uploads({ signal }))
    if (!pending.has(upload.id) && nowMs - upload.startedMs >= LITTER_MS) stale.push(upload);
  const litter: PrunedLitter[] = [];
  for (const upload of stale) {
    const fate = remover === undefined || remover.isDryRun ? 'due' : fateOf(await remover.abort(upload));
    const { key } = upload;
    if (fate === 'removed') log.info('a stale upload is aborted', { target: target.name, key });
    litter.push({ kind: 'upload', key, fate });
  }
  return litter;
}

function fateOf(outcome: 'removed' | 'locked' | 'denied'): PrunedLitter['fate'] {
  return outcome === 'denied' ? 'due' : outcome;
}
