import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { type FileEntry, sameVersion, toMicroseconds } from '../../../model/file-entry.ts';
import { parentOf, type RelPath } from '../../../model/rel-path.ts';
import { lstatAt } from '../../../store/file/read-folder.ts';
import { storeError, unlessAbsent } from '../../../store/file/system-errors.ts';
import type { KnownObject } from '../../state/pull-state.ts';

/** Bytes read at a time: a millisecond of a disk. */
const READ_BYTES = 256 * 1024;
const READ_FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/** What is at a path on the disk. */
export type Local =
  | { readonly kind: 'nothing' }
  | { readonly kind: 'file'; readonly entry: FileEntry }
  | { readonly kind: 'folder' }
  /** Something else there, or on the way to it: `what` says it for people. */
  | { readonly kind: 'blocked'; readonly what: string };

/** Looks at `path` below `root`. Symlinks are not followed. */
export function lookAtLocal(root: string, path: RelPath): Local {
  try {
    for (const folder of foldersAbove(path)) {
      const found = lstatAt(join(root, folder));
      if (found === undefined) return { kind: 'nothing' };
      if (!found.isDirectory())
        return { kind: 'blocked', what: `${found.isSymbolicLink() ? 'a symlink' : 'a file'} at ${folder}` };
    }
    const found = lstatAt(join(root, path));
    if (found === undefined) return { kind: 'nothing' };
    if (found.isDirectory()) return { kind: 'folder' };
    if (!found.isFile())
      return { kind: 'blocked', what: found.isSymbolicLink() ? 'a symlink' : 'something that is no file' };
    return {
      kind: 'file',
      entry: { path, size: found.size, mtimeUs: toMicroseconds(found.mtimeMs) },
    };
  } catch (error) {
    throw storeError(error, path);
  }
}

/** Whether what was written for a key is there, and nobody has changed it since. */
export function isAsWritten(known: KnownObject): boolean {
  const local = lookAtLocal(known.folder, known.path);
  if (known.kind === 'folder') return local.kind === 'folder';
  return local.kind === 'file' && sameVersion(local.entry, known);
}

/** From the first segment on. */
function foldersAbove(path: RelPath): RelPath[] {
  const above: RelPath[] = [];
  for (let folder = parentOf(path); folder !== ''; folder = parentOf(folder)) above.push(folder);
  return above.toReversed();
}

/** MD5 of just this version of a file, hexadecimal; undefined where it has changed meanwhile. */
export async function md5OfLocal(
  root: string,
  { path, size, mtimeUs }: FileEntry,
  signal: AbortSignal,
): Promise<string | undefined> {
  try {
    await using file = await unlessAbsent(() => open(join(root, path), READ_FLAGS));
    if (file === undefined) return undefined;
    const hash = createHash('md5');
    const buffer = Buffer.allocUnsafe(Math.max(1, Math.min(READ_BYTES, size)));
    for (let position = 0; position < size;) {
      signal.throwIfAborted();
      const { bytesRead } = await file.read(buffer, 0, buffer.length, position);
      if (bytesRead === 0) return undefined;
      hash.update(buffer.subarray(0, bytesRead));
      position += bytesRead;
    }
    const now = await file.stat();
    const same = sameVersion(
      { path, size, mtimeUs },
      { path, size: now.size, mtimeUs: toMicroseconds(now.mtimeMs) },
    );
    return same ? hash.digest('hex') : undefined;
  } catch (error) {
    signal.throwIfAborted();
    throw storeError(error, path);
  }
}
