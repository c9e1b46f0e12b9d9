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
  /** Archives under way. */
  readonly underWay: ReadonlySet<number>;
  /** Backups whose list the next one may be compared with; undefined where some target can't tell. */
  readonly bases: ReadonlySet<number> | undefined;
  readonly log: Log;
}

/** Removes what versions have left in the folder of the job that nobody goes on with. Whoever calls holds the run lock. */
export async function removeLocalLitter({
  stateDir,
  underWay,
  bases,
  log,
}: LocalLitterRequest): Promise<void> {
  for (const folder of FOLDERS) {
    if (folder === 'lists' && bases === undefined) continue;
    for (const name of await namesIn(join(stateDir, folder))) {
      const version = Number(/^\d+/.exec(name)?.[0] ?? Number.NaN);
      if (underWay.has(version) || (folder === 'lists' && bases?.has(version) === true)) continue;
      await rm(join(stateDir, folder, name), { recursive: true, force: true }).catch((err: unknown) => {
        log.warn('what a run has left is not removed', { path: join(folder, name), err });
      });
    }
  }
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw error;
  }
}
