import { chmodSync, chownSync, existsSync, mkdirSync, statSync } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { errnoOf, IsyncError } from '../../model/isync-error.ts';
import type { OwnerIds } from '../../model/owner-ids.ts';
import { syncFolder } from '../../model/sync-folder.ts';

export interface PlaceOptions {
  readonly mode: number;
  /** Undefined: whoever runs this. */
  readonly owner?: OwnerIds | undefined;
}

/** What was there before, or has been made. */
export type Placed = 'made' | 'kept';

/** Folders above one that is made: whoever runs as another user must get through them. */
const ABOVE_MODE = 0o755;

/**
 * Makes a folder, with those above it, where there is none; whatever the umask is.
 * @throws IsyncError CONFIG_INVALID
 */
export function placeFolder(path: string, { mode, owner }: PlaceOptions): Placed {
  try {
    if (statSync(path, { throwIfNoEntry: false })?.isDirectory() === true) return 'kept';
    makeFolders(dirname(path));
    mkdirSync(path);
    chmodSync(path, mode);
    if (owner !== undefined) chownSync(path, owner.uid, owner.gid);
    return 'made';
  } catch (error) {
    throw cannotMake(path, error);
  }
}

function makeFolders(path: string): void {
  if (existsSync(path)) return;
  makeFolders(dirname(path));
  mkdirSync(path);
  chmodSync(path, ABOVE_MODE);
}

/** Writes a file whole and durable, unless there is one. */
export async function placeFile(path: string, content: string, options: PlaceOptions): Promise<Placed> {
  if (existsSync(path)) return 'kept';
  await replaceFile(path, content, options);
  return 'made';
}

/** Writes a file whole and durable, over one that is there. */
export async function replaceFile(
  path: string,
  content: string,
  { mode, owner }: PlaceOptions,
): Promise<void> {
  const temporary = `${path}.${process.pid}.tmp`;
  try {
    {
      await using file = await open(temporary, 'wx', mode);
      // The umask may have taken bits away.
      await file.chmod(mode);
      if (owner !== undefined) await file.chown(owner.uid, owner.gid);
      await file.writeFile(content);
      await file.sync();
    }
    await rename(temporary, path);
    await syncFolder(dirname(path));
  } catch (error) {
    await rm(temporary, { force: true });
    throw cannotMake(path, error);
  }
}

function cannotMake(path: string, error: unknown): IsyncError {
  const isForbidden = ['EACCES', 'EPERM', 'EROFS'].includes(errnoOf(error) ?? '');
  return new IsyncError(
    'CONFIG_INVALID',
    `it can't be made: ${error instanceof Error ? error.message : String(error)}`,
    {
      path,
      cause: error,
      hint: isForbidden
        ? 'Run isync init as root, or name places of your own with --where and --settings.'
        : undefined,
    },
  );
}
