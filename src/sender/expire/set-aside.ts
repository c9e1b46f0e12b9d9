import { lstatSync, renameSync, rmdirSync } from 'node:fs';
import { errnoOf, toIsyncError } from '../../model/isync-error.ts';
import type { RelPath } from '../../model/rel-path.ts';
import { decodeName, isRelPath } from '../../model/rel-path.ts';
import { syncFolder } from '../../model/sync-folder.ts';
import type { DataDirectory } from '../../scanner/data-directory.ts';
import { FolderHandle } from '../../scanner/folder-handle.ts';
import { mountPointIn } from './mounts.ts';
import { asideOf, setAsideName, type Place } from './place.ts';

/**
 * Takes a data directory out of everybody's way: renames it within the root, durably. Returns where it is, or why it stays.
 * @throws IsyncError READ_ONLY
 */
export async function setAside(
  root: string,
  { name, device, inode }: DataDirectory,
): Promise<Place | { readonly fault: string }> {
  const at = asideOf(name);
  if (at === undefined) return { fault: 'its name is too long to be set aside' };
  const place = { root, at, name };
  const mounted = mountPointIn(`${root}/${name}`);
  // What is mounted there is elsewhere as well, be it of the same disk.
  if (mounted !== undefined) return { fault: `something is mounted at ${mounted}` };
  if (statsOf(root, at) !== undefined) return { fault: `"${at}", of an earlier run, is in the way` };
  try {
    renameSync(`${root}/${name}`, `${root}/${at}`);
  } catch (error) {
    const why = WHY[errnoOf(error) ?? ''];
    if (why === undefined) throw toIsyncError(error, 'READ_ONLY', { path: name });
    return { fault: why };
  }
  const now = statsOf(root, at);
  if (now?.dev !== device || now.ino !== inode) {
    await putBack(place);
    return { fault: 'another directory has taken its place' };
  }
  try {
    await syncFolder(root);
  } catch (error) {
    await putBack(place);
    throw toIsyncError(error, 'READ_ONLY', { path: name });
  }
  return place;
}

/** Why a directory can't be renamed, by errno; anything else is the matter of the root. */
const WHY: Readonly<Record<string, string>> = {
  ENOENT: 'it is gone',
  EBUSY: 'it is a mount point, or in use by the system',
  EXDEV: 'it is a mount point',
  EPERM: 'it is not ours to rename',
  EACCES: 'it may not be renamed: grant isync write permission on the root',
  ENOTEMPTY: 'another one, of an earlier run, is in the way',
  EEXIST: 'another one, of an earlier run, is in the way',
};

/** Gives a directory that was set aside its name again, durably. False where something has that name by now. */
export async function putBack({ root, at, name }: Place): Promise<boolean> {
  try {
    // An empty folder of that name would be replaced by rename(2): whoever has made it may be about to fill it.
    if (statsOf(root, name) !== undefined) return false;
    renameSync(`${root}/${at}`, `${root}/${name}`);
  } catch (error) {
    throw toIsyncError(error, 'READ_ONLY', {
      path: at,
      hint: `Give it its name back: mv -T ${root}/${at} ${root}/${name}`,
    });
  }
  await syncFolder(root);
  return true;
}

/** Removes what was set aside and has nothing in it any more: only its name was left to go. Returns whether it was so. */
export function removedEmpty({ root, at }: Place): boolean {
  try {
    rmdirSync(`${root}/${at}`);
    return true;
  } catch {
    // It holds something, or putting it back tells why not.
    return false;
  }
}

/** Directories that a run which was interrupted has left aside. @throws IsyncError ROOT_MISSING */
export function leftAside(root: string): Place[] {
  const found: Place[] = [];
  let handle: FolderHandle | undefined;
  try {
    handle = new FolderHandle(root);
    for (let entry = handle.read(); entry !== undefined; entry = handle.read()) {
      const at = decodeName(entry.name);
      const name = at === undefined ? undefined : setAsideName(at);
      if (at === undefined || name === undefined || !isRelPath(at)) continue;
      if (statsOf(root, at)?.isDirectory() === true) found.push({ root, at, name });
    }
    return found;
  } catch (error) {
    throw toIsyncError(error, 'ROOT_MISSING', { path: root });
  } finally {
    handle?.close();
  }
}

function statsOf(root: string, path: RelPath) {
  return lstatSync(`${root}/${path}`, { throwIfNoEntry: false });
}
