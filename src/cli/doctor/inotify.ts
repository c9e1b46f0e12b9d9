import { readFileSync } from 'node:fs';
import type { IsyncError } from '../../model/isync-error.ts';
import { formatCount } from '../../observe/units.ts';
import { INSTANCE_LIMIT, WATCH_LIMIT } from '../../watcher/watch-failure.ts';
import { type Check, failure, ok, passing, warning } from './check.ts';

/** What the kernel allows one user, all processes together; undefined where no /proc tells. */
export interface InotifyLimits {
  readonly watches: number | undefined;
  readonly instances: number | undefined;
}

/** What a scan needs. */
export interface WatchNeeds {
  /** Folders to watch, at any depth. */
  readonly folders: number;
  readonly directories: number;
  /** Whether inotifywait watches each of them as well, with an instance for each data directory. */
  readonly isTwice: boolean;
}

/** The limit of the machine, or that of a user namespace (a container) where it is lower. */
export function inotifyLimits(): InotifyLimits {
  return {
    watches: least('/proc/sys/fs/inotify/max_user_watches', '/proc/sys/user/max_inotify_watches'),
    instances: least('/proc/sys/fs/inotify/max_user_instances', '/proc/sys/user/max_inotify_instances'),
  };
}

function least(...paths: readonly string[]): number | undefined {
  const found = paths.map(numberIn).filter((each) => each !== undefined);
  return found.length === 0 ? undefined : Math.min(...found);
}

function numberIn(path: string): number | undefined {
  try {
    const found = Number.parseInt(readFileSync(path, 'utf8'), 10);
    return Number.isNaN(found) ? undefined : found;
  } catch {
    return undefined;
  }
}

/** Files are found by listing where they can't be watched, only later. */
export function checkInotify({ watches, instances }: InotifyLimits, needs: WatchNeeds): Check {
  const name = 'inotify';
  const { folders, directories, isTwice } = needs;
  const neededWatches = (isTwice ? 2 : 1) * folders + 1;
  const neededInstances = isTwice ? directories + 1 : 1;
  if (watches !== undefined && watches < neededWatches)
    return warning(
      name,
      `${WATCH_LIMIT.message}: ${neededWatches} are needed, ${watches} allowed`,
      WATCH_LIMIT.hint,
    );
  if (instances !== undefined && instances < neededInstances)
    return warning(
      name,
      `${INSTANCE_LIMIT.message}: ${neededInstances} instances are needed, ${instances} allowed`,
      INSTANCE_LIMIT.hint,
    );
  if (watches === undefined) return ok(name, 'no limit is known');
  return ok(name, `${formatCount(folders, 'folder')} to watch, ${watches} watches allowed`);
}

/** @param fault why files can't be known by their close; undefined: they can */
export function checkCloseWrite(
  complete: 'auto' | 'close-write' | 'settle',
  fault: IsyncError | undefined,
): Check {
  const name = 'complete files';
  if (complete === 'settle') return ok(name, 'known by settling (--complete settle)');
  if (fault === undefined) return ok(name, 'known the moment they are closed (inotifywait)');
  if (complete === 'close-write') return failure(name, fault);
  const { message, hint } = fault;
  return {
    ...passing(name, fault),
    code: undefined,
    message: `${message}: files are complete when they have settled`,
    hint,
  };
}
