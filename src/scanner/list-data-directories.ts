import type { Stats } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { errnoOf, IsyncError, toIsyncError } from '../model/isync-error.ts';
import { PARSE_MARKER, WATCH_MARKER } from '../model/markers.ts';
import { problemOf, type Problem } from '../model/problem.ts';
import { decodeName, isRelPath, type RelPath } from '../model/rel-path.ts';
import type { DataDirectory, Seal } from './data-directory.ts';
import { notRegular } from './finding.ts';
import { FolderHandle, type FolderEntry } from './folder-handle.ts';
import { lookAt } from './look-at.ts';
import { hasParseMarker, watchMarkerStats } from './markers.ts';
import { readSealRecord } from './seal-record.ts';
import type { SealRecords } from './seal-records.ts';

/** Entries of the root looked at (three lstat(2) for a folder) before other work gets its turn: about 1 ms. */
const ENTRIES_PER_SLICE = 128;

export interface DataDirectories {
  /** In no order. */
  readonly directories: DataDirectory[];
  /** NOT_REGULAR: a symlink; BAD_PATH: a folder's name that is not UTF-8; FILE_UNREADABLE: a folder. */
  readonly problems: Problem[];
  /** Regular files in the root itself, whatever the tag; without markers and names that begin with ".". */
  readonly looseFiles: number;
  /** Whether `finished.parse` or `finished.watch` lies in the root itself, as in a data directory. */
  readonly markers: boolean;
}

type Found = { -readonly [Key in keyof DataDirectories]: DataDirectories[Key] };

/**
 * The data directories of a root: the first-level folders whose names begin with the tag, but neither with "." (other
 * programs' own) nor `lost+found` (where the root is a file system's top). Files at the first level are counted and not ours.
 * The root itself may be a symlink.
 *
 * @throws IsyncError ROOT_MISSING where the root is no folder, FILE_UNREADABLE where it can't be read
 */
export async function listDataDirectories(
  root: string,
  { tag, records }: { readonly tag: string; readonly records?: SealRecords },
): Promise<DataDirectories> {
  const found: Found = { directories: [], problems: [], looseFiles: 0, markers: false };
  const handle = openRoot(root);
  try {
    for (let looked = 1; ; looked++) {
      const entry = handle.read();
      if (entry === undefined) return found;
      const name = entry.name.toString();
      if (entry.isFile) countFile(name, found);
      else if (isDataDirectoryName(name, tag)) take(root, entry, found, records);
      if (looked % ENTRIES_PER_SLICE === 0) await setImmediate();
    }
  } catch (error) {
    throw toIsyncError(error, 'FILE_UNREADABLE', { path: root });
  } finally {
    handle.close();
  }
}

/**
 * One data directory; undefined where there is no folder of that name (a symlink is none), or the name can't be one's.
 * @throws IsyncError FILE_UNREADABLE where it can't be looked into
 */
export function inspectDataDirectory(
  root: string,
  name: RelPath,
  records?: SealRecords,
): DataDirectory | undefined {
  if (!isDataDirectoryName(name, '')) return undefined;
  const stats = look(root, name);
  if (stats === undefined || !stats.isDirectory()) return undefined;
  return {
    name,
    device: stats.dev,
    inode: stats.ino,
    birthtimeMs: stats.birthtimeMs,
    mtimeMs: stats.mtimeMs,
    seal: sealOf(root, name, records),
    closed: hasParseMarker(root, name),
  };
}

function sealOf(root: string, name: RelPath, records: SealRecords | undefined): Seal | undefined {
  const stats = watchMarkerStats(root, name);
  if (stats === undefined) return undefined;
  const record = records === undefined ? readSealRecord(root, name) : records.read(root, name, stats);
  return { mtimeMs: stats.mtimeMs, record };
}

function isDataDirectoryName(name: string, tag: string): boolean {
  return name.startsWith(tag) && !name.startsWith('.') && name !== 'lost+found' && !name.includes('/');
}

function openRoot(root: string): FolderHandle {
  try {
    return new FolderHandle(root);
  } catch (error) {
    const errno = errnoOf(error);
    if (errno !== 'ENOENT' && errno !== 'ENOTDIR')
      throw toIsyncError(error, 'FILE_UNREADABLE', { path: root, hint: 'Grant isync read permission.' });
    throw new IsyncError('ROOT_MISSING', `"${root}" is not a folder`, {
      path: root,
      hint: 'Create it, mount it, or name another root.',
      cause: error,
    });
  }
}

function countFile(name: string, found: Found): void {
  if (name === PARSE_MARKER || name === WATCH_MARKER) found.markers = true;
  else if (!name.startsWith('.')) found.looseFiles++;
}

function take(root: string, entry: FolderEntry, found: Found, records: SealRecords | undefined): void {
  const name = decodeName(entry.name);
  if (name === undefined || !isRelPath(name)) {
    if (entry.isFolder)
      found.problems.push({
        path: entry.name.toString(),
        code: 'BAD_PATH',
        message: 'the name of the folder is not UTF-8',
      });
    return;
  }
  try {
    const directory = inspectDataDirectory(root, name, records);
    if (directory !== undefined) found.directories.push(directory);
    else takeSymlink(root, name, found);
  } catch (error) {
    found.problems.push(problemOf(toIsyncError(error, 'FILE_UNREADABLE'), name));
  }
}

/** A symlink may stand for a data directory; the user is told that it is not transferred. */
function takeSymlink(root: string, name: RelPath, { problems }: DataDirectories): void {
  const stats = look(root, name);
  if (stats?.isSymbolicLink() === true)
    problems.push({ path: name, code: 'NOT_REGULAR', message: notRegular(stats) });
}

/** @throws IsyncError FILE_UNREADABLE */
function look(root: string, name: RelPath): Stats | undefined {
  try {
    return lookAt(`${root}/${name}`);
  } catch (error) {
    throw toIsyncError(error, 'FILE_UNREADABLE', { path: name });
  }
}
