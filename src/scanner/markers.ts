import { constants } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { errnoOf, toIsyncError, type IsyncError } from '../model/isync-error.ts';
import { PARSE_MARKER, WATCH_MARKER } from '../model/markers.ts';
import type { RelPath } from '../model/rel-path.ts';
import { lookAt } from './look-at.ts';

/** What WATCH_MARKER is called until it is whole. A killed process or a full disk may leave one behind; the next write replaces it. */
const WATCH_MARKER_TEMP = `.${WATCH_MARKER}.tmp`;

const MARKER_NAMES: ReadonlySet<string> = new Set([PARSE_MARKER, WATCH_MARKER, WATCH_MARKER_TEMP]);

/**
 * Whether a path relative to the root is that of a marker, or of our marker's temp: only right below a data directory.
 * Deeper, the same names are ordinary files.
 */
export function isMarkerPath(path: string): boolean {
  const slash = path.indexOf('/');
  return slash >= 0 && MARKER_NAMES.has(path.slice(slash + 1));
}

/**
 * Whether the parser has closed the data directory. Only a regular file counts.
 * @throws IsyncError FILE_UNREADABLE when the directory can't be looked into
 */
export function hasParseMarker(root: string, directory: RelPath): boolean {
  return hasMarker(root, directory, PARSE_MARKER);
}

/** The same for our own marker. */
export function hasWatchMarker(root: string, directory: RelPath): boolean {
  return hasMarker(root, directory, WATCH_MARKER);
}

function hasMarker(root: string, directory: RelPath, name: string): boolean {
  try {
    return lookAt(`${root}/${directory}/${name}`)?.isFile() ?? false;
  } catch (error) {
    throw toIsyncError(error, 'FILE_UNREADABLE', { path: directory });
  }
}

interface WatchMarkerOptions {
  /**
   * Puts the directory's mtime back, so that our write does not make it the newest under `--newest mtime`. It is known
   * to be possible before anything is written. What the parser creates during the few ms of the write is not seen in
   * the mtime then.
   */
  readonly keepMtime: boolean;
}

/**
 * Writes `finished.watch`: one line of JSON, `{"finished": TIME}`. When it resolves the marker survives a power cut;
 * whenever it is there, it is whole. Writing it again is harmless.
 *
 * @throws IsyncError FILE_VANISHED when the directory is gone, else READ_ONLY, retryable where room or open files have
 * run out
 */
export async function writeWatchMarker(
  root: string,
  directory: RelPath,
  options: WatchMarkerOptions,
): Promise<void> {
  const absolute = `${root}/${directory}`;
  try {
    const folder = await open(absolute, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
    try {
      const before = await folder.stat();
      const restoreMtime = (): Promise<void> => folder.utimes(before.atimeMs / 1000, before.mtimeMs / 1000);
      // Setting it to what it is changes nothing, and fails as it would later where the directory is not ours.
      if (options.keepMtime) await restoreMtime();
      await writeAndRename(absolute);
      if (options.keepMtime) await restoreMtime();
      await folder.sync();
    } finally {
      await folder.close();
    }
  } catch (error) {
    throw cannotWrite(error, directory);
  }
}

/**
 * Removes `finished.watch`, so that the directory is looked into again; durable when it resolves. Harmless where there is none.
 *
 * @throws IsyncError as {@link writeWatchMarker}
 */
export async function removeWatchMarker(root: string, directory: RelPath): Promise<void> {
  const absolute = `${root}/${directory}`;
  try {
    await using folder = await open(
      absolute,
      constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW,
    );
    await rm(`${absolute}/${WATCH_MARKER}`, { force: true });
    await folder.sync();
  } catch (error) {
    throw cannotWrite(error, directory);
  }
}

async function writeAndRename(absolute: string): Promise<void> {
  const temp = `${absolute}/${WATCH_MARKER_TEMP}`;
  await rm(temp, { force: true });
  // Exclusive, so that nothing planted under this name (a symlink) is written through.
  const file = await open(temp, 'wx', 0o644);
  try {
    await file.writeFile(`${JSON.stringify({ finished: new Date().toISOString() })}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(temp, `${absolute}/${WATCH_MARKER}`);
}

function cannotWrite(error: unknown, directory: RelPath): IsyncError {
  const path = `${directory}/${WATCH_MARKER}`;
  switch (errnoOf(error)) {
    case 'ENOENT':
    case 'ENOTDIR':
    case 'ELOOP':
      return toIsyncError(error, 'FILE_VANISHED', { path: directory });
    case 'ENOSPC':
    case 'EDQUOT':
      return toIsyncError(error, 'READ_ONLY', { path, retryable: true, hint: 'Make room on the disk.' });
    case 'EMFILE':
    case 'ENFILE':
      return toIsyncError(error, 'READ_ONLY', {
        path,
        retryable: true,
        hint: 'Raise the limit of open files (ulimit -n).',
      });
    case 'EISDIR':
      return toIsyncError(error, 'READ_ONLY', { path, hint: `Remove the folder "${path}".` });
    case 'EPERM':
      return toIsyncError(error, 'READ_ONLY', {
        path,
        hint: 'Run isync as the owner of the data directories, or do not use --newest mtime.',
      });
    case undefined:
    default:
      return toIsyncError(error, 'READ_ONLY', {
        path,
        hint: 'isync needs to write to the data directories: mount them writable and grant it write permission.',
      });
  }
}
