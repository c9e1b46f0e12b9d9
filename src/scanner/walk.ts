import type { Stats } from 'node:fs';
import { errnoOf } from '../model/isync-error.ts';
import { decodeName, isEntryPath, relPathFault, type RelPath } from '../model/rel-path.ts';
import { failedFinding, notRegular, problemFinding } from './finding.ts';
import { FolderHandle, type FolderEntry } from './folder-handle.ts';
import type { Finding } from './listed-file.ts';
import { isAbsence, lookAt } from './look-at.ts';
import { isMarkerPath } from './markers.ts';
import type { OwnMarks } from './own-marks.ts';

/**
 * Most folders below each other that are looked into, the data directory being the first. Each costs an open handle
 * while what is below it is read, and 1,024 open files are all that many a process gets.
 */
export const MAX_FOLDER_DEPTH = 128;

/** One entry of the tree. Every entry is one step, so that the caller can count the work. */
export type Step =
  | FolderStep
  | { readonly kind: 'entry'; readonly path: RelPath; readonly stats: Stats }
  /** `ignorable`: it is not about a folder, so an ignore pattern that matches `path` hides it. */
  | {
      readonly kind: 'finding';
      readonly path: string;
      readonly finding: Finding;
      readonly ignorable: boolean;
    }
  /** A marker, or something that went away between the reading of the folder and the look at it. */
  | { readonly kind: 'nothing' };

/** A subfolder whose entries come next. */
interface FolderStep {
  readonly kind: 'folder';
  readonly path: RelPath;
  readonly stats: Stats;
}

/** `gone`: the data directory was not there, or has been removed or replaced by another meanwhile. */
type WalkEnd = 'complete' | 'gone';

/**
 * Walks a data directory depth first, in the order of the disk, without ever holding a whole folder. Synchronous:
 * promises per entry would cost more than the entries, so the caller pauses now and then. Ending it early
 * (`return()`) closes what is open. What can't be read is a step, never thrown.
 */
export function* walk(
  root: string,
  directory: RelPath,
  ownMarks?: OwnMarks,
): Generator<Step, WalkEnd, undefined> {
  let top: Stats | undefined;
  try {
    top = lookAt(`${root}/${directory}`);
  } catch (error) {
    yield failed(directory, error, false);
    return 'complete';
  }
  if (top === undefined || !top.isDirectory()) return 'gone';

  const stack: OpenFolder[] = [];
  try {
    const first = enter(root, { kind: 'folder', path: directory, stats: top }, stack);
    if (first.kind === 'finding') yield first;
    for (let folder = stack.at(-1); folder !== undefined; folder = stack.at(-1)) {
      const step = readOn(root, folder, stack, ownMarks);
      if (step !== undefined) yield step.kind === 'folder' ? enter(root, step, stack) : step;
    }
  } finally {
    for (const { handle } of stack) handle.close();
  }
  return isStillThere(root, directory, top) ? 'complete' : 'gone';
}

interface OpenFolder {
  readonly path: RelPath;
  readonly stats: Stats;
  readonly handle: FolderHandle;
}

const NOTHING: Step = { kind: 'nothing' };

/** Puts the folder on the stack and returns its step; or the step that says why not. */
function enter(root: string, step: FolderStep, stack: OpenFolder[]): Step {
  let handle: FolderHandle;
  try {
    handle = new FolderHandle(`${root}/${step.path}`);
  } catch (error) {
    return isAbsence(error) ? NOTHING : failed(step.path, error, false);
  }
  // opendir(3) follows a symlink that took the folder's place since the look at it. This look tells, and whatever is
  // there now is the next listing's.
  if (!isStillThere(root, step.path, step.stats)) {
    handle.close();
    return NOTHING;
  }
  stack.push({ path: step.path, stats: step.stats, handle });
  return step;
}

/** The next entry of the topmost folder. At its end, or where it can't be read on, takes it off the stack. */
function readOn(
  root: string,
  folder: OpenFolder,
  stack: OpenFolder[],
  ownMarks: OwnMarks | undefined,
): Step | undefined {
  let step: Step | undefined;
  try {
    const entry = folder.handle.read();
    if (entry !== undefined) return stepOf(root, folder.path, entry, { depth: stack.length, ownMarks });
  } catch (error) {
    // An ENOENT may be the removed folder's, or (where the disk tells no types) that of Node's own look at a removed
    // file. Then the rest of the folder has not been seen, and to take that for its end would lose files.
    if (isStillThere(root, folder.path, folder.stats)) step = failed(folder.path, error, false);
  }
  stack.pop();
  folder.handle.close();
  return step;
}

/** Throws where the folder that holds the entry may be read but not searched: one problem, not one for each file. */
function stepOf(
  root: string,
  folder: RelPath,
  entry: FolderEntry,
  { depth, ownMarks }: { readonly depth: number; readonly ownMarks: OwnMarks | undefined },
): Step {
  const name = decodeName(entry.name);
  const path = `${folder}/${name ?? entry.name.toString()}`;
  if (name === undefined) return bad(path, 'the name is not UTF-8', entry);
  if (!isEntryPath(path, name)) return bad(path, `the path ${relPathFault(path)}`, entry);
  let stats: Stats | undefined;
  try {
    stats = lookAt(`${root}/${path}`, ownMarks?.has);
  } catch (error) {
    if (errnoOf(error) === 'EACCES') throw error;
    return failed(path, error, !entry.isFolder);
  }
  if (stats === undefined) return NOTHING;
  if (isMarkerPath(path)) return stats.isFile() ? NOTHING : noMarker(path, stats);
  if (!stats.isDirectory()) return { kind: 'entry', path, stats };
  if (depth >= MAX_FOLDER_DEPTH) return bad(path, `lies below ${MAX_FOLDER_DEPTH} folders or more`, entry);
  return { kind: 'folder', path, stats };
}

function bad(path: string, message: string, { isFolder }: FolderEntry): Step {
  return { kind: 'finding', path, finding: problemFinding(path, 'BAD_PATH', message), ignorable: !isFolder };
}

function noMarker(path: string, stats: Stats): Step {
  return {
    kind: 'finding',
    path,
    finding: problemFinding(path, 'NOT_REGULAR', notRegular(stats)),
    ignorable: false,
  };
}

function failed(path: string, error: unknown, ignorable: boolean): Step {
  return { kind: 'finding', path, finding: failedFinding(path, error), ignorable };
}

/** Whether `path` is still the folder of `stats`. Where that can't be told now, nothing says that it is gone. */
function isStillThere(root: string, path: RelPath, stats: Stats): boolean {
  let now: Stats | undefined;
  try {
    now = lookAt(`${root}/${path}`);
  } catch {
    // Whatever is wrong comes up again, as a problem, with the next entry or the next listing.
    return true;
  }
  return now !== undefined && now.dev === stats.dev && now.ino === stats.ino && now.isDirectory();
}
