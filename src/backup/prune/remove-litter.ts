import type { Log } from '../../model/log.ts';
import type { Catalogue } from '../catalogue/catalogue.ts';
import type { BackupJob } from '../job.ts';
import { highestVersionIn } from '../names/backup-name.ts';
import type { TargetRecords } from '../state/job-state.ts';
import type { BackupTarget, TargetUpload } from '../target/target.ts';
import { attempting } from '../upload/attempts.ts';
import type { Fate, PrunedLitter } from './pruned.ts';
import { keysOf } from './remove-backups.ts';
import { GIVE_UP_MS, type Remover } from './remover.ts';

/** Age in ms from which what no manifest names is litter: a run that was killed is gone on with for a day. */
export const LITTER_MS = 48 * 3_600_000;
const HOUR_MS = 3_600_000;

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

/**
 * Removes what runs and prunes have left that were killed: uploads that nobody goes on with, then objects that no manifest names. What stays
 * for now is told, too.
 */
export async function removeLitter(request: LitterRequest): Promise<readonly PrunedLitter[]> {
  return [...(await abortUploads(request)), ...(await removeOrphans(request))];
}

/** Whether something may go, and why, or why not. */
interface Found<T> {
  readonly thing: T;
  readonly isDue: boolean;
  readonly why: string;
}

type Told = Pick<PrunedLitter, 'fate' | 'why'>;

async function abortUploads(request: LitterRequest): Promise<readonly PrunedLitter[]> {
  const { target, remover, log } = request;
  const litter: PrunedLitter[] = [];
  for (const { thing: upload, isDue, why } of await uploadsOf(request)) {
    const { key } = upload;
    let fate: Fate = isDue ? 'due' : 'kept';
    if (isDue && remover?.isDryRun === false && (await remover.abort(upload)) === 'removed') fate = 'removed';
    if (fate === 'removed') log.info('a stale upload is aborted', { target: target.name, key, why });
    litter.push({ kind: 'upload', key, fate, why });
  }
  return litter;
}

async function uploadsOf(request: LitterRequest): Promise<readonly Found<TargetUpload>[]> {
  const { target, pending, isOwn, log, signal, nowMs } = request;
  if (!isOwn) return [];
  const list = async (): Promise<Found<TargetUpload>[]> => {
    const found: Found<TargetUpload>[] = [];
    for await (const upload of target.uploads({ signal })) {
      const ageMs = nowMs - upload.startedMs;
      const isPending = pending.has(upload.id);
      const isDue = !isPending && ageMs >= LITTER_MS;
      const stays = isDue ? '' : `${YOUNG}, `;
      const why = isPending
        ? 'an upload of a run that is not over'
        : `an upload that nobody goes on with, ${stays}begun ${agoText(ageMs)}`;
      found.push({ thing: upload, isDue, why });
    }
    return found;
  };
  const attempts = { log: log.with({ target: target.name }), signal, giveUpAfterMs: GIVE_UP_MS };
  return await attempting('list uploads', list, attempts);
}

async function removeOrphans(request: LitterRequest): Promise<readonly PrunedLitter[]> {
  const { target, records, log } = request;
  const litter: PrunedLitter[] = [];
  for (const orphan of orphansOf(request)) {
    const { thing: key } = orphan;
    const { fate, why } = await fateOf(orphan, request);
    if (fate === 'removed') {
      records.endRemoval(target.name, [key]);
      log.info('what no backup needs is removed', { target: target.name, key, why });
    }
    litter.push({ kind: 'object', key, fate, why });
  }
  return litter;
}

async function fateOf(
  { thing: key, isDue, why }: Found<string>,
  { remover, nowMs }: LitterRequest,
): Promise<Told> {
  if (!isDue) return { fate: 'kept', why };
  if (remover === undefined || remover.denied !== undefined) return { fate: 'due', why };
  const untilMs = await remover.lockedUntil(key, nowMs);
  if (untilMs !== undefined)
    return { fate: 'locked', why: `${why}; locked until ${new Date(untilMs).toISOString()}` };
  if (remover.isDryRun) return { fate: 'due', why };
  const outcome = await remover.remove(key);
  if (outcome === 'locked') return { fate: 'locked', why: `${why}; the store locks it` };
  return { fate: outcome === 'removed' ? 'removed' : 'due', why };
}

/** An archive comes after what stands beside it. */
function orphansOf(request: LitterRequest): readonly Found<string>[] {
  const { job, target, catalogue, records, nowMs } = request;
  const { backups, unreadable, objects } = catalogue;
  const known = new Set([
    ...backups.flatMap(({ manifest }) => keysOf(manifest)),
    ...unreadable.map(({ key }) => key),
  ]);
  const begun = records.removals(target.name);
  const found: Found<string>[] = [];
  for (const { key, modifiedMs } of objects.values()) {
    const orphan = {
      key,
      version: highestVersionIn([key], job.nameTemplate, job.name),
      isBegun: begun.has(key),
      ageMs: nowMs - modifiedMs,
    };
    // What is called otherwise is none of ours: somebody has put it there.
    if (known.has(key) || (orphan.version === 0 && !orphan.isBegun)) continue;
    const stays = whyItStays(orphan, request);
    const goes = orphan.isBegun
      ? 'its backup is gone'
      : `no backup needs it, written ${agoText(orphan.ageMs)}`;
    found.push({ thing: key, isDue: stays === undefined, why: stays ?? goes });
  }
  return found.toSorted((a, b) => (a.thing < b.thing ? 1 : -1));
}

interface Orphan {
  readonly key: string;
  readonly version: number;
  /** An earlier prune has removed its backup. */
  readonly isBegun: boolean;
  readonly ageMs: number;
}

function whyItStays(
  { key, version, isBegun, ageMs }: Orphan,
  { spared, isOwn, catalogue: { backups, unreadable } }: LitterRequest,
): string | undefined {
  if (spared.has(key)) return 'a run that is not over needs it';
  if (unreadable.length > 0) return `it may be of what can't be read: ${unreadable[0]?.key}`;
  if (isBegun) return undefined;
  if (ageMs < LITTER_MS) return `no backup needs it, ${YOUNG}, written ${agoText(ageMs)}`;
  if (isOwn || version < (backups[0]?.manifest.version ?? 0)) return undefined;
  return 'another machine may go on with it';
}

const YOUNG = `and it stays for ${LITTER_MS / HOUR_MS} h`;

function agoText(ageMs: number): string {
  const hours = Math.max(0, Math.floor(ageMs / HOUR_MS));
  return hours < 72 ? `${hours} h ago` : `${Math.floor(hours / 24)} days ago`;
}
