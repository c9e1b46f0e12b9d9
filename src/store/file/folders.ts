import { constants, lstatSync, mkdirSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf, IsyncError } from '../../model/isync-error.ts';
import { nameOf, parentOf, type RelPath } from '../../model/rel-path.ts';
import { foldersBelow } from './list-files.ts';
import { storeError, unlessAbsent } from './system-errors.ts';
import { Limiter } from '../../flow/limiter.ts';

/** Folders of a batch fsynced at a time: they share the file system's journal commits, and the thread pool with everything else. */
const FOLDER_SYNCS_AT_ONCE = 4;
/** Folders remembered as durable, about 150 bytes each; when there are more all are forgotten, which costs fsyncs only. */
const DURABLE_FOLDERS = 16_384;

/** The folders of published files: makes them, refuses what is none, and makes their entries durable. */
export class Folders {
  readonly root: string;
  /** Folders whose own entry, and those of all above, this process has made durable. */
  readonly #durable = new Set<string>();

  constructor(root: string) {
    this.root = root;
  }

  batch(): FolderBatch {
    return new FolderBatch(this);
  }

  isDurable(path: string): boolean {
    return this.#durable.has(path);
  }

  setDurable(path: string): void {
    if (this.#durable.size >= DURABLE_FOLDERS) this.#durable.clear();
    this.#durable.add(path);
  }

  setNotDurable(path: string): void {
    this.#durable.delete(path);
  }

  /**
   * Makes nothing.
   * @throws IsyncError PATH_CONFLICT when no file can be published at `path` as things stand
   */
  checkWay(path: RelPath): void {
    for (let folder = parentOf(path); folder !== ''; folder = parentOf(folder))
      isFolder(join(this.root, folder), folder);
    if (lstatSync(join(this.root, path), { throwIfNoEntry: false })?.isDirectory())
      throw new IsyncError('PATH_CONFLICT', 'a folder is in the way', { path });
  }

  /**
   * Makes `directory` and all folders below and above it durable, as far as there are such. Those below too, because
   * who named a file there may have been killed before it could. `checkGoesOn` throws to end it early.
   */
  async sync(directory: RelPath, checkGoesOn: () => void): Promise<void> {
    const failures: unknown[] = [];
    const syncing = new Set<Promise<void>>();
    for await (const folder of foldersBelow(this.root, directory, checkGoesOn)) {
      const sync = unlessAbsent(() => syncFolder(join(this.root, folder)))
        .catch((error: unknown) => void failures.push(error))
        .finally(() => syncing.delete(sync));
      syncing.add(sync);
      if (syncing.size >= FOLDER_SYNCS_AT_ONCE) await Promise.race(syncing);
      checkGoesOn();
      if (failures.length > 0) break;
    }
    await Promise.all(syncing);
    if (failures.length > 0) throw failures[0];
    await this.#syncUpwards(directory);
  }

  async #syncUpwards(directory: RelPath): Promise<void> {
    for (let folder: RelPath | '' = directory; folder !== ''; folder = parentOf(folder)) {
      const path = join(this.root, folder);
      if (isFolder(path, folder)) await syncFolder(path);
    }
    await syncFolder(this.root);
  }
}

/** A folder that stands, and is one. */
export interface StandingFolder {
  readonly path: string;
  readonly parent: StandingFolder | undefined;
  /** Whether its own entry and those of all above are. */
  readonly durable: boolean;
}

/** What is known of folders for the length of one batch, so that each is looked at once. */
export class FolderBatch {
  readonly #folders: Folders;
  readonly #root: StandingFolder;
  readonly #standing = new Map<RelPath, StandingFolder>();

  constructor(folders: Folders) {
    this.#folders = folders;
    this.#root = { path: folders.root, parent: undefined, durable: true };
  }

  /**
   * Makes `directory` where it is missing, and checks that it and all above are real folders, not symlinks.
   * Folders get the mode that the umask leaves them: it is how an administrator keeps others out of the store.
   */
  ensure(directory: RelPath | ''): StandingFolder {
    if (directory === '') return this.#root;
    const known = this.#standing.get(directory);
    if (known !== undefined) return known;
    const parent = this.ensure(parentOf(directory));
    const path = join(parent.path, nameOf(directory));
    const isNew = !isFolder(path, directory);
    if (isNew) {
      // Also one that was durable and is no more: somebody has removed it.
      this.#folders.setNotDurable(path);
      makeFolder(path, directory);
    }
    const folder = { path, parent, durable: !isNew && parent.durable && this.#folders.isDurable(path) };
    this.#standing.set(directory, folder);
    return folder;
  }

  /**
   * Makes the entries of `used` durable, and those above as needed, each folder once.
   * Returns a function that tells why this failed for one of them; undefined where it did not.
   */
  async sync(used: ReadonlySet<StandingFolder>): Promise<(folder: StandingFolder) => unknown> {
    const needed = new Set<StandingFolder>();
    for (const folder of used) for (const each of upToDurable(folder)) needed.add(each);
    const failures = new Map<StandingFolder, unknown>();
    const syncs = new Limiter(FOLDER_SYNCS_AT_ONCE);
    await Promise.all(
      [...needed].map(async (folder) => {
        try {
          await syncs.run(() => syncFolder(folder.path));
        } catch (error) {
          failures.set(folder, error);
        }
      }),
    );
    for (const folder of used) this.#remember(folder, failures);
    return (folder) => firstFailure(folder, failures);
  }

  #remember(folder: StandingFolder, failures: ReadonlyMap<StandingFolder, unknown>): void {
    if (firstFailure(folder, failures) !== undefined) return;
    for (const each of upToDurable(folder))
      if (each.parent !== undefined) this.#folders.setDurable(each.path);
  }
}

/** `folder` and those above it, up to the first whose own entry is durable: all that must be synced for it. */
function* upToDurable(folder: StandingFolder): Generator<StandingFolder> {
  yield folder;
  for (let each = folder; !each.durable && each.parent !== undefined; each = each.parent) yield each.parent;
}

function firstFailure(folder: StandingFolder, failures: ReadonlyMap<StandingFolder, unknown>): unknown {
  if (failures.size === 0) return undefined;
  return [...upToDurable(folder)].map((each) => failures.get(each)).find((failure) => failure !== undefined);
}

/** Whether there is a folder; rejects what is there but none with PATH_CONFLICT. */
function isFolder(path: string, directory: RelPath): boolean {
  let found;
  try {
    found = lstatSync(path, { throwIfNoEntry: false });
  } catch (error) {
    throw storeError(error, directory);
  }
  if (found === undefined) return false;
  if (found.isDirectory()) return true;
  const what = found.isSymbolicLink() ? 'a symlink' : 'a file';
  throw new IsyncError('PATH_CONFLICT', `${what} is where a folder is needed`, { path: directory });
}

function makeFolder(path: string, directory: RelPath): void {
  try {
    mkdirSync(path);
  } catch (error) {
    // EEXIST: another process made it just now.
    if (errnoOf(error) === 'EEXIST' && isFolder(path, directory)) return;
    throw storeError(error, directory);
  }
}

/** Makes the names in the folder at the absolute path durable. */
export async function syncFolder(path: string): Promise<void> {
  await using folder = await open(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  try {
    await folder.sync();
  } catch (error) {
    // The answer of file systems (some FUSE and network ones) that have no such thing as syncing a folder.
    const errno = errnoOf(error);
    if (errno !== 'EINVAL' && errno !== 'ENOTSUP') throw error;
  }
}
