import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf } from '../../model/isync-error.ts';
import type { Log } from '../../model/log.ts';
import type { Standing } from '../catalogue/standing.ts';

/** Lists that are kept for the next run, of each store: where its newest backup turns out damaged, the next one is full anyway. */
const KEPT_LISTS = 2;

/** Versions of one store that the next backup may be compared with. @param standings the newest first */
export function basesOf(standings: readonly Standing[]): readonly number[] {
  return standings
    .filter(({ fault }) => fault === undefined)
    .slice(0, KEPT_LISTS)
    .map(({ backup }) => backup.manifest.version);
}

/** Folders of a job's state, each with something for each version. */
const FOLDERS = ['spool', 'scratch', 'lists'] as const;

export interface LocalLitterRequest {
  readonly stateDir: string;
  /** Archives under way, and the bases of those. */
  readonly underWay: ReadonlySet<number>;
  /** Backups whose list the next one may be compared with; undefined where some target can't tell. */
  readonly bases: ReadonlySet<number> | undefined;
  /** Tells all, removes nothing. */
  readonly isDryRun: boolean;
  readonly log: Log;
}

/** Something that a version has in the folder of the job on this machine. */
export interface LocalLitter {
  /** Below that folder. */
  readonly path: string;
  /** `due`: a dry run, or it can't be removed. */
  readonly fate: 'kept' | 'removed' | 'due';
  /** For people. */
  readonly why: string;
}

/** Removes what versions have left in the folder of the job that nobody needs. Whoever calls holds the run lock, unless in a dry run. */
export async function removeLocalLitter(request: LocalLitterRequest): Promise<readonly LocalLitter[]> {
  const { stateDir, isDryRun } = request;
  const litter: LocalLitter[] = [];
  for (const folder of FOLDERS)
    for (const name of await namesIn(join(stateDir, folder))) {
      const path = join(folder, name);
      const stays = whyItStays(folder, name, request);
      const why = stays ?? (folder === 'lists' ? 'no backup will be compared with it' : 'no run needs it');
      const fate = stays !== undefined ? 'kept' : isDryRun ? 'due' : await removed(path, request);
      litter.push({ path, fate, why });
    }
  return litter;
}

async function removed(path: string, { stateDir, log }: LocalLitterRequest): Promise<'removed' | 'due'> {
  try {
    await rm(join(stateDir, path), { recursive: true, force: true });
    return 'removed';
  } catch (err) {
    log.warn('what a run has left is not removed', { path, err });
    return 'due';
  }
}

function whyItStays(
  folder: (typeof FOLDERS)[number],
  name: string,
  { underWay, bases }: LocalLitterRequest,
): string | undefined {
  const version = Number(/^\d+/.exec(name)?.[0] ?? Number.NaN);
  if (underWay.has(version)) return 'a run that is not over needs it';
  if (folder !== 'lists') return undefined;
  if (bases === undefined) return 'the next backup of a store that was not asked may be compared with it';
  return bases.has(version) ? 'the next backup may be compared with it' : undefined;
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw error;
  }
}
