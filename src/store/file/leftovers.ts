import { lstat, readdir, rename, rmdir, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf } from '../../model/isync-error.ts';
import { isPartName } from './parts.ts';
import { livenessOf } from './process-identity.ts';
import type { StagingArea } from './staging-area.ts';
import { unlessAbsent } from './system-errors.ts';

/**
 * Tidies the staging area: uploads that nobody has gone on with for `staleMs` are removed, and dead processes' folders
 * are dissolved. Folders of processes that live are left alone; of those that can't be told (another host, container
 * or boot), only what has not been touched for `staleMs` goes.
 */
export async function collectLeftovers(area: StagingArea, staleMs: number): Promise<void> {
  const before = Date.now() - staleMs;
  for (const name of await namesIn(area.parts)) {
    const path = join(area.parts, name);
    // By mtime, the last write or release: claiming and moving does not make it younger.
    const found = await unlessAbsent(() => lstat(path));
    if (found !== undefined && found.mtimeMs < before) await unlessAbsent(() => unlink(path));
  }
  for (const owner of await namesIn(area.all)) {
    const folder = join(area.all, owner);
    if (owner === area.ownName || folder === area.parts) continue;
    const liveness = livenessOf(owner);
    if (liveness === 'dead') await dissolve(area, folder);
    if (liveness === 'unknown') await removeUntouched(folder, before);
  }
}

async function dissolve(area: StagingArea, folder: string): Promise<void> {
  for (const name of await namesIn(folder)) {
    const path = join(folder, name);
    if (isPartName(name)) await unlessAbsent(() => rename(path, join(area.parts, name)));
    else await unlessAbsent(() => unlink(path));
  }
  await removeEmpty(folder);
}

async function removeUntouched(folder: string, before: number): Promise<void> {
  for (const path of [...(await namesIn(folder)).map((name) => join(folder, name)), folder]) {
    // By ctime: staged files carry the mtime they are published with.
    const found = await unlessAbsent(() => lstat(path));
    if (found === undefined || found.ctimeMs >= before) continue;
    if (path === folder) await removeEmpty(folder);
    else await unlessAbsent(() => unlink(path));
  }
}

async function removeEmpty(folder: string): Promise<void> {
  try {
    await unlessAbsent(() => rmdir(folder));
  } catch (error) {
    // Still in use.
    if (errnoOf(error) !== 'ENOTEMPTY' && errnoOf(error) !== 'EEXIST') throw error;
  }
}

async function namesIn(folder: string): Promise<string[]> {
  return (await unlessAbsent(() => readdir(folder))) ?? [];
}
