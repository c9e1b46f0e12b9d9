import { closeSync, constants, fchmodSync, fstatSync, openSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { type FileIdentity, identityOf, sameContentVersion, sameIdentity } from '../model/file-identity.ts';
import { errnoOf, IsyncError, toIsyncError } from '../model/isync-error.ts';
import type { RelPath } from '../model/rel-path.ts';
import { isMarked, MARK_BIT } from './is-marked.ts';
import { isAbsence, lookAt, lookOnce } from './look-at.ts';

/** First wait for the file system's clock to tick, in ms; doubled each time. Ticks are 1 to 10 ms on most. */
const FIRST_TICK_WAIT_MS = 2;
/** Longest wait for it, in ms, all waits together: ext3 and small-inode ext4 stamp by the whole second. */
const MAX_TICK_WAIT_MS = 2_000;

export const NOT_OURS_HINT =
  'Run isync as the owner of the files (or as root), and see that they are not immutable (lsattr).';

export const READ_HINT = 'isync marks what it has sent: it needs to read the files and search their folders.';

/** The bits of a mode that chmod(2) sets. */
const PERMISSIONS = 0o7777;

export type MarkResult =
  | {
      readonly outcome: 'marked';
      /** With the mark on: whoever sees this identity again sees our own echo. */
      readonly identity: FileIdentity;
      /**
       * Whether the next listing will find the file marked. It will not where the mtime lies in the future: remember
       * `identity`, or the file is sent again and again. Marking it once more when that time has come makes it so.
       */
      readonly believable: boolean;
    }
  /** Not the version that was seen: another content, another mode, another file. No mark of ours is on it. */
  | { readonly outcome: 'changed' }
  /** Nothing is under that path any more. */
  | { readonly outcome: 'vanished' };

/**
 * Marks a file that is durable at the target, provided that it still is what `seen` describes, as it was when it was
 * read. Afterwards the file counts as marked only if its content is the one seen: a write before the mark is found by
 * looking again after it, and takes the mark off; a write after that look makes the mtime as young as the ctime, so
 * that the mark is not believed. (In between, only the death of this process could leave such a mark.)
 *
 * Takes microseconds and no turn of the event loop, but for a file written so lately that its mtime is of the clock
 * tick of the mark: then a few ms. It holds one open file meanwhile.
 *
 * @param open a descriptor of the file that was read, which stays open; default: opened here
 * @throws IsyncError MARK_NOT_KEPT where files are not ours or the file system keeps no group-write bit, else READ_ONLY,
 * retryable where only open files have run out
 */
export async function markFile(
  root: string,
  path: RelPath,
  seen: FileIdentity,
  open?: number,
): Promise<MarkResult> {
  const absolute = `${root}/${path}`;
  const file = open ?? openUnchanged(absolute, path, seen);
  if (typeof file !== 'number') return file;
  const marking = {
    file,
    absolute,
    path,
    seen,
    expected: seen,
    waitedMs: 0,
    touched: false,
    verified: false,
  };
  try {
    for (let tickMs = FIRST_TICK_WAIT_MS; ; tickMs *= 2) {
      const result = tryMark(marking, tickMs);
      if (typeof result !== 'number') return result;
      // Only here: files that are confirmed together are each closed before the next one is opened.
      await setTimeout(result);
      marking.waitedMs += result;
    }
  } catch (error) {
    throw markError(error, path);
  } finally {
    endMarking(marking, open === undefined);
  }
}

/**
 * Takes the mark off a file, so that it is sent again. Harmless where there is no mark, or no file any more.
 *
 * @throws IsyncError as {@link markFile}
 */
export function unmarkFile(root: string, path: RelPath): void {
  let file: number | undefined;
  try {
    file = openSync(`${root}/${path}`, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    unmark(file, path);
  } catch (error) {
    if (!isAbsence(error)) throw markError(error, path);
  } finally {
    if (file !== undefined) closeSync(file);
  }
}

const CHANGED: MarkResult = { outcome: 'changed' };
const VANISHED: MarkResult = { outcome: 'vanished' };

/**
 * The mark is set through a descriptor: chmod(2) follows symlinks, and a mark that has to be taken off again must be
 * taken off this inode, wherever it is by then. A file that can't be opened for reading was not transferred either.
 */
function openUnchanged(absolute: string, path: RelPath, seen: FileIdentity): number | MarkResult {
  try {
    const stats = lookAt(absolute);
    if (stats === undefined) return VANISHED;
    if (!stats.isFile() || !sameIdentity(identityOf(stats), seen)) return CHANGED;
    // O_NONBLOCK: not to hang at a FIFO that has taken the file's place since that look.
    return openSync(absolute, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (isAbsence(error)) return VANISHED;
    const errno = errnoOf(error);
    // A symlink or a socket has.
    if (errno === 'ELOOP' || errno === 'ENXIO') return CHANGED;
    throw markError(error, path);
  }
}

/** How far the marking of a file has come. */
interface Marking {
  readonly file: number;
  readonly absolute: string;
  readonly path: RelPath;
  readonly seen: FileIdentity;
  /** As it is with the mark that was set last. */
  expected: FileIdentity;
  waitedMs: number;
  touched: boolean;
  verified: boolean;
}

/** Sets the mark and looks at it. Returns what has become of it; or how long to wait (ms) before another one, which will be believed. */
function tryMark(marking: Marking, tickMs: number): MarkResult | number {
  const { file, absolute, path, seen } = marking;
  const before = fstatSync(file);
  if (!sameIdentity(identityOf(before), marking.expected))
    return lookOnce(absolute) === undefined ? VANISHED : CHANGED;
  fchmodSync(file, (before.mode & PERMISSIONS) | MARK_BIT);
  marking.touched = true;
  // By path: also a rename over the file makes it another one. One look is enough: the ctime of one in the middle of a write is that
  // of the write, which leaves a mark that is not believed.
  const after = lookOnce(absolute);
  if (after === undefined) return VANISHED;
  const identity = identityOf(after);
  if (!sameContentVersion(identity, seen)) return CHANGED;
  if ((after.mode & MARK_BIT) === 0) throw notKept(path);
  const believable = isMarked(after);
  // Compared by the file system's own clock, which need not be ours (NFS).
  const waitMs = after.mtimeMs - after.ctimeMs + tickMs;
  if (believable || marking.waitedMs + waitMs > MAX_TICK_WAIT_MS) {
    // Not so where the mtime lies in the future: then the ctime has moved.
    if (!believable && after.mtimeMs <= after.ctimeMs && isAlwaysOn(file, after.mode)) throw notKept(path);
    marking.verified = true;
    return { outcome: 'marked', identity, believable };
  }
  marking.expected = identity;
  return waitMs;
}

/** Takes a mark off that was not found on the version that was seen. */
function endMarking({ file, path, touched, verified }: Marking, closes: boolean): void {
  try {
    if (touched && !verified) unmark(file, path);
  } finally {
    if (closes) closeSync(file);
  }
}

/**
 * Whether a file has the bit whatever chmod(2) says: vfat and exFAT give all files the same mode, which may have it, and no ctime of
 * their own. Elsewhere it is off for a moment, and on again.
 */
function isAlwaysOn(file: number, mode: number): boolean {
  fchmodSync(file, mode & PERMISSIONS & ~MARK_BIT);
  if ((fstatSync(file).mode & MARK_BIT) !== 0) return true;
  fchmodSync(file, mode & PERMISSIONS);
  return false;
}

/** Also where the bit had been the parser's own: left on, it would hide what was written. */
function unmark(file: number, path: RelPath): void {
  try {
    const { mode } = fstatSync(file);
    if ((mode & MARK_BIT) !== 0) fchmodSync(file, mode & PERMISSIONS & ~MARK_BIT);
  } catch (error) {
    throw new IsyncError('READ_ONLY', 'the mark of a file that changed meanwhile could not be taken off', {
      path,
      hint: `Take it off ("chmod g-w"), or that version of "${path}" is not sent.`,
      cause: error,
    });
  }
}

function notKept(path: RelPath): IsyncError {
  return new IsyncError('MARK_NOT_KEPT', 'the file system does not keep the group-write bit', {
    path,
    hint: 'Use a file system with Unix permissions for the root (vfat, exFAT and some network mounts have none).',
  });
}

/** Returns what an error of the system means to whoever marks a file. */
export function markError(error: unknown, path: RelPath): IsyncError {
  switch (errnoOf(error)) {
    case 'EPERM':
      return toIsyncError(error, 'MARK_NOT_KEPT', {
        path,
        hint: NOT_OURS_HINT,
      });
    case 'ENOTSUP':
    case 'EOPNOTSUPP':
    case 'ENOSYS':
      return notKept(path);
    case 'EMFILE':
    case 'ENFILE':
      return toIsyncError(error, 'READ_ONLY', {
        path,
        retryable: true,
        hint: 'Raise the limit of open files (ulimit -n).',
      });
    case 'EROFS':
      return toIsyncError(error, 'READ_ONLY', { path, hint: 'Mount the root writable.' });
    case undefined:
    default:
      return toIsyncError(error, 'READ_ONLY', {
        path,
        hint: READ_HINT,
      });
  }
}
