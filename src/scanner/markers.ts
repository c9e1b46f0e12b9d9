import { constants, fstatSync, futimesSync, renameSync, type Stats } from 'node:fs';
import { lutimes, open, rm, type FileHandle } from 'node:fs/promises';
import { errnoOf, IsyncError, toIsyncError } from '../model/isync-error.ts';
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

/** What lstat(2) says of our own marker; undefined where there is none. Only a regular file counts. */
export function watchMarkerStats(root: string, directory: RelPath): Stats | undefined {
  return markerStats(root, directory, WATCH_MARKER);
}

function hasMarker(root: string, directory: RelPath, name: string): boolean {
  return markerStats(root, directory, name) !== undefined;
}

function markerStats(root: string, directory: RelPath, name: string): Stats | undefined {
  try {
    const stats = lookAt(`${root}/${directory}/${name}`);
    return stats?.isFile() === true ? stats : undefined;
  } catch (error) {
    throw toIsyncError(error, 'FILE_UNREADABLE', { path: directory });
  }
}

interface WatchMarkerOptions {
  /** The folder that the marker is written for: nothing is written into one that has taken its place. */
  readonly device: number;
  readonly inode: number;
  /**
   * Puts the directory's mtime back, so that our write does not make it the newest under `--newest mtime`. It is known
   * to be possible before anything is written.
   */
  readonly keepMtime: boolean;
}

/** `finished.watch` as a durable file that nobody takes for one yet. Dispose of it in every case. */
export interface WatchMarkerDraft extends AsyncDisposable {
  /**
   * Whether nothing has come into the directory or gone from it since the draft is there, as the directory's own mtime
   * tells.
   */
  isUndisturbed(): Promise<boolean>;
  /**
   * Gives the marker its name, and then the mtime of the directory: what comes into that from now on makes another one.
   * When it resolves the marker survives a power cut; whenever it is there, it is whole.
   * Resolves to that mtime, in ms.
   * @throws IsyncError as {@link draftWatchMarker}
   */
  publish(): Promise<number>;
}

/**
 * Writes what `finished.watch` is to say: one line of JSON. In two steps, because its fsync takes longer than all that a
 * last look at a small directory takes: that look comes in between.
 *
 * @throws IsyncError FILE_VANISHED when the directory is gone or another, else READ_ONLY, retryable where room or open
 * files have run out
 */
export async function draftWatchMarker(
  root: string,
  directory: RelPath,
  content: object,
  options: WatchMarkerOptions,
): Promise<WatchMarkerDraft> {
  return await guarded(directory, () => Draft.write(`${root}/${directory}`, directory, content, options));
}

class Draft implements WatchMarkerDraft {
  readonly #absolute: string;
  readonly #directory: RelPath;
  readonly #folder: FileHandle;
  readonly #keptTimes: Stats | undefined;
  #mtimeMs = 0;
  #named = false;

  private constructor(
    absolute: string,
    directory: RelPath,
    folder: FileHandle,
    keptTimes: Stats | undefined,
  ) {
    this.#absolute = absolute;
    this.#directory = directory;
    this.#folder = folder;
    this.#keptTimes = keptTimes;
  }

  static async write(
    absolute: string,
    directory: RelPath,
    content: object,
    { device, inode, keepMtime }: WatchMarkerOptions,
  ): Promise<Draft> {
    const folder = await open(absolute, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
    try {
      const before = await folder.stat();
      if (before.dev !== device || before.ino !== inode)
        throw new IsyncError('FILE_VANISHED', 'another folder has taken its place', { path: directory });
      // Setting it to what it is changes nothing, and fails as it would later where the directory is not ours.
      if (keepMtime) await setTimes(folder, before);
      const draft = new Draft(absolute, directory, folder, keepMtime ? before : undefined);
      try {
        await writeTemp(absolute, content);
        draft.#mtimeMs = (await folder.stat()).mtimeMs;
      } catch (error) {
        // What there is of it must not stay, nor make this the newest directory.
        await draft[Symbol.asyncDispose]();
        throw error;
      }
      return draft;
    } catch (error) {
      await folder.close();
      throw error;
    }
  }

  async isUndisturbed(): Promise<boolean> {
    const { dev, ino } = await this.#folder.stat();
    // Last, so that no turn of the event loop lies between it and the publication.
    const now = lookAt(this.#absolute);
    return now?.dev === dev && now.ino === ino && now.mtimeMs === this.#mtimeMs;
  }

  async publish(): Promise<number> {
    return await guarded(this.#directory, async () => {
      const marker = `${this.#absolute}/${WATCH_MARKER}`;
      renameSync(`${this.#absolute}/${WATCH_MARKER_TEMP}`, marker);
      this.#named = true;
      const kept = this.#keptTimes;
      if (kept !== undefined) futimesSync(this.#folder.fd, kept.atimeMs / 1000, kept.mtimeMs / 1000);
      const { atimeMs, mtimeMs } = fstatSync(this.#folder.fd);
      await lutimes(marker, atimeMs / 1000, mtimeMs / 1000).catch(() => {
        // Then the directory counts as one that has changed, and is compared once more.
      });
      await this.#folder.sync();
      return mtimeMs;
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      if (!this.#named) await rm(`${this.#absolute}/${WATCH_MARKER_TEMP}`, { force: true });
      // What the draft itself has changed is no change of the directory's.
      if (!this.#named && this.#keptTimes !== undefined) await setTimes(this.#folder, this.#keptTimes);
    } catch {
      // It means nothing to anybody, and the next draft replaces it.
    }
    await this.#folder.close();
  }
}

function setTimes(folder: FileHandle, { atimeMs, mtimeMs }: Stats): Promise<void> {
  return folder.utimes(atimeMs / 1000, mtimeMs / 1000);
}

async function guarded<T>(directory: RelPath, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    throw error instanceof IsyncError ? error : markerError(error, directory);
  }
}

/**
 * Removes `finished.watch`, so that the directory is looked into again; durable when it resolves. Harmless where there is none.
 *
 * @throws IsyncError as {@link draftWatchMarker}
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
    throw markerError(error, directory);
  }
}

async function writeTemp(absolute: string, content: object): Promise<void> {
  const temp = `${absolute}/${WATCH_MARKER_TEMP}`;
  await rm(temp, { force: true });
  // Exclusive, so that nothing planted under this name (a symlink) is written through.
  await using file = await open(temp, 'wx', 0o644);
  await file.writeFile(`${JSON.stringify(content)}\n`);
  await file.sync();
}

/** Returns what an error of the system means to whoever writes the marker of a data directory. */
export function markerError(error: unknown, directory: RelPath): IsyncError {
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
