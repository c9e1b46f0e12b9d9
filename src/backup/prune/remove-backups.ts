import type { Log } from '../../model/log.ts';
import type { KnownBackup } from '../catalogue/catalogue.ts';
import type { Manifest } from '../manifest/manifest.ts';
import { JOB_KEY, MANIFEST_ENDING, MARK_ENDING } from '../names/backup-name.ts';
import type { Verdict } from '../rules/verdict.ts';
import type { TargetRecords } from '../state/job-state.ts';
import { explain } from './explain.ts';
import type { Fate, PrunedBackup } from './pruned.ts';
import type { Remover } from './remover.ts';

const DAY_MS = 86_400_000;

export interface RemoveRequest {
  /** The newest first, all of the target. */
  readonly verdicts: readonly Verdict[];
  readonly backups: readonly KnownBackup[];
  /** Keys that nothing is removed of, whatever a manifest says: those of archives under way. */
  readonly spared: ReadonlySet<string>;
  /** Undefined: nothing is removed, nor looked at for its lock; all is told. */
  readonly remover: Remover | undefined;
  readonly records: Pick<TargetRecords, 'noteRemoval' | 'endRemoval'>;
  readonly log: Log;
  /** By the clock of the store, in ms since the epoch. */
  readonly nowMs: number;
  /** Whether the store is asked for every lock: somebody may have lifted one. */
  readonly isExact: boolean;
}

/**
 * Does what verdicts say. The newest goes first, so that whatever is killed when, a backup that is listed has all that it needs; of each
 * the manifest goes first, and the archive last. One that has to stay, for its lock or for want of a right, keeps all that it needs.
 */
export async function removeBackups(request: RemoveRequest): Promise<readonly PrunedBackup[]> {
  const known = new Map(request.backups.map((backup) => [backup.manifest.version, backup]));
  const kept = new Kept(request.spared);
  for (const { backup, reasons } of request.verdicts)
    if (reasons.length > 0) kept.add(known.get(backup.version)?.manifest);
  const pruned: PrunedBackup[] = [];
  for (const verdict of request.verdicts) {
    const backup = known.get(verdict.backup.version);
    if (backup === undefined) continue;
    const { manifest } = backup;
    const { fate, why } =
      verdict.reasons.length > 0
        ? ({ fate: 'kept', why: explain(verdict) } as const)
        : await fateOf(backup, explain(verdict), kept, request);
    // Where nothing is removed at all, what it needs is due as it is.
    if (fate === 'kept' || fate === 'locked') kept.add(manifest);
    const { name, version, startedMs, archive, list } = manifest;
    pruned.push({ name, version, startedMs, bytes: archive.size + list.size, fate, why });
  }
  return pruned;
}

async function fateOf(
  backup: KnownBackup,
  why: string,
  kept: Kept,
  request: RemoveRequest,
): Promise<{ readonly fate: Fate; readonly why: string }> {
  const { remover, log } = request;
  const { name, version, archive } = backup.manifest;
  const by = kept.neededBy(version, archive.key);
  if (by !== undefined) return { fate: 'kept', why: `needed by version ${by}, which can't be removed` };
  if (remover === undefined || remover.denied !== undefined) return { fate: 'due', why };
  const untilMs = await lockOf(backup, remover, request);
  if (untilMs !== undefined)
    return { fate: 'locked', why: `${why}; locked until ${new Date(untilMs).toISOString()}` };
  if (remover.isDryRun) return { fate: 'due', why };
  if (await remover.isMarked(name)) return { fate: 'kept', why: 'marked' };
  const fate = await removeOne(backup, kept, request, remover);
  if (fate === 'removed') log.info('a backup is removed', { target: remover.target.name, name, why });
  return { fate, why: fate === 'locked' ? `${why}; the store locks it` : why };
}

/**
 * Until when its archive is locked, in a store whose settings ask for locks; looked at before anything of it goes, for archives have longer
 * ones than their manifests. After a run, what the run that made it has asked for is believed: a request a backup and run would be many.
 */
async function lockOf(
  { manifest }: KnownBackup,
  remover: Remover,
  { nowMs, isExact }: RemoveRequest,
): Promise<number | undefined> {
  const { lock } = remover.target.capabilities;
  if (lock === undefined) return undefined;
  const leastMs = manifest.finishedMs + lock.days * DAY_MS;
  if (!isExact && leastMs > nowMs) return leastMs;
  return await remover.lockedUntil(manifest.archive.key, nowMs);
}

async function removeOne(
  { manifest, manifestKey }: KnownBackup,
  kept: Kept,
  { records }: RemoveRequest,
  remover: Remover,
): Promise<'removed' | 'locked' | 'due'> {
  const target = remover.target.name;
  const keys = [manifest.list.key, manifest.archive.key].filter((key) => !kept.has(key));
  // Without its manifest nothing else would tell that they are to go: a prune that is killed is gone on with.
  records.noteRemoval(target, keys);
  const outcome = await remover.remove(manifestKey);
  if (outcome !== 'removed') {
    records.endRemoval(target, keys);
    return outcome === 'locked' ? 'locked' : 'due';
  }
  for (const key of keys) if ((await remover.remove(key)) === 'removed') records.endRemoval(target, [key]);
  return 'removed';
}

/** What the backups that stay name, whatever it is called: nothing of it is removed. */
class Kept {
  readonly #keys: Set<string>;
  readonly #by = new Map<number, number>();

  constructor(spared: ReadonlySet<string>) {
    this.#keys = new Set([JOB_KEY, ...spared]);
  }

  add(manifest: Manifest | undefined): void {
    if (manifest === undefined) return;
    for (const key of keysOf(manifest)) this.#keys.add(key);
    for (const { version } of manifest.needs) this.#by.set(version, manifest.version);
  }

  has(key: string): boolean {
    return this.#keys.has(key);
  }

  /** The version of a backup that stays and needs this one; undefined where none does. */
  neededBy(version: number, archiveKey: string): number | string | undefined {
    return this.#by.get(version) ?? (this.#keys.has(archiveKey) ? 'another one' : undefined);
  }
}

/** Every object that a manifest names, itself and its mark with them. */
export function keysOf({ name, list, needs }: Manifest): string[] {
  return [`${name}${MANIFEST_ENDING}`, `${name}${MARK_ENDING}`, list.key, ...needs.map(({ key }) => key)];
}
