import { lstatSync } from 'node:fs';
import { join } from 'node:path';
import { IsyncError } from '../../model/isync-error.ts';
import { syncFolder } from '../../model/sync-folder.ts';
import type { OwnerIds } from '../../model/owner-ids.ts';
import { nameOf, parentOf, type RelPath } from '../../model/rel-path.ts';
import { isVanished, lookAtFolder, makeFolder, removeFile, removeIfEmpty } from './folder-calls.ts';
import { foldersBelow } from './list-files.ts';
import { lstatAt } from './read-folder.ts';
import { unlessAbsent } from './system-errors.ts';
import { Limiter } from '../../flow/limiter.ts';

/** Folders of a batch fsynced at a time: together they need few commits of the journal, and they leave threads to others. */
const FOLDER_SYNCS_AT_ONCE = 4;
/** Folders remembered as durable, about 200 bytes each. When there are more, all are forgotten, which costs fsyncs only. */
const DURABLE_FOLDERS = 16_384;
/** How often a folder is made again that another process keeps removing, empty as it is, before something is put in it. */
const MAKING_TRIES = 10;

export interface FolderOptions {
  /** Whether a folder stays when it is empty. Default: none does. */
  readonly keeps?: ((folder: RelPath) => boolean) | undefined;
  /** Whose new folders become. */
  readonly owner?: OwnerIds | undefined;
}

/** The folders of published files: makes and removes them, refuses what is none, and makes their entries durable. */
export class Folders {
  readonly root: string;
  readonly owner: OwnerIds | undefined;
  readonly keeps: (folder: RelPath) => boolean;
  /**
   * Folders whose own entry, and those of all above, this process has made durable; each by its path, with its identity: a
   * folder that another process has removed and made again is another one.
   */
  readonly #durable = new Map<string, string>();

  constructor(root: string, { keeps = () => false, owner }: FolderOptions = {}) {
    this.root = root;
    this.keeps = keeps;
    this.owner = owner;
  }

  batch(): FolderBatch {
    return new FolderBatch(this);
  }

  isDurable(path: string, identity: string): boolean {
    return this.#durable.get(path) === identity;
  }

  setDurable(path: string, identity: string): void {
    if (this.#durable.size >= DURABLE_FOLDERS) this.#durable.clear();
    this.#durable.set(path, identity);
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
      lookAtFolder(join(this.root, folder), folder);
    if (lstatSync(join(this.root, path), { throwIfNoEntry: false })?.isDirectory())
      throw new IsyncError('PATH_CONFLICT', 'a folder is in the way', { path });
  }

  /**
   * Makes `directory` and all folders below and above it durable, as far as they are there. Those below too: a process that
   * named a file there may have been killed before it could. `checkGoesOn` throws to end it early.
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
      if (lookAtFolder(path, folder) !== undefined) await syncFolder(path);
    }
    await syncFolder(this.root);
  }
}

/** A folder that is there, as far as this batch knows. */
export interface StandingFolder {
  readonly path: string;
  readonly parent: StandingFolder | undefined;
  /** Tells it from one that is made later under its path. */
  readonly identity: string;
  /** Whether its own entry and those of all above are durable. */
  readonly durable: boolean;
  /** Whether this batch has removed it again. */
  removed: boolean;
}

/** Remembers the folders of one batch, so that each is looked at once. */
export class FolderBatch {
  readonly #folders: Folders;
  readonly #root: StandingFolder;
  readonly #standing = new Map<RelPath, StandingFolder>();

  constructor(folders: Folders) {
    this.#folders = folders;
    this.#root = { path: folders.root, parent: undefined, identity: '', durable: true, removed: false };
  }

  /**
   * Makes `directory` where it is missing, and checks that it and all above are real folders, not symlinks.
   * Folders get the mode that the umask leaves them: so an administrator keeps others out of the store.
   */
  ensure(directory: RelPath | ''): StandingFolder {
    if (directory === '') return this.#root;
    const known = this.#standing.get(directory);
    if (known !== undefined) return known;
    const parent = this.ensure(parentOf(directory));
    const path = join(parent.path, nameOf(directory));
    const found = lookAtFolder(path, directory);
    // Also one that was durable and is no more: somebody has removed it.
    if (found === undefined) this.#folders.setNotDurable(path);
    const identity = found ?? makeFolder(path, directory, this.#folders.owner);
    const durable = found !== undefined && parent.durable && this.#folders.isDurable(path, identity);
    const folder = { path, parent, identity, durable, removed: false };
    this.#standing.set(directory, folder);
    return folder;
  }

  /**
   * Runs `name`, which gives a name in `directory`, once that is there. Where another process has just removed the folder,
   * which was empty, it is made again.
   */
  async within(
    directory: RelPath | '',
    name: (folder: StandingFolder) => Promise<void>,
  ): Promise<StandingFolder> {
    for (let left = MAKING_TRIES - 1; ; left--)
      try {
        const folder = this.ensure(directory);
        await name(folder);
        return folder;
      } catch (error) {
        if (left === 0 || !isVanished(error)) throw error;
        this.#forget(directory);
      }
  }

  /**
   * Removes a file, and the folders above it that this leaves empty; what is no file, or not below real folders, stays.
   * Returns the lowest folder that is left: once that is synced, the removal is durable.
   */
  remove(path: RelPath): StandingFolder {
    const above = this.#realFoldersAbove(path);
    if ((above[0] ?? '') === parentOf(path)) removeFile(join(this.#folders.root, path));
    return this.#removeEmpty(above);
  }

  /** The same for a folder that is empty. */
  removeFolder(path: RelPath): StandingFolder {
    const above = this.#realFoldersAbove(path);
    const isThere =
      (above[0] ?? '') === parentOf(path) && lstatAt(join(this.#folders.root, path))?.isDirectory() === true;
    return this.#removeEmpty(isThere ? [path, ...above] : above);
  }

  /** Removes `folders`, the lowest first, up to one that stays, which it returns. */
  #removeEmpty(folders: readonly RelPath[]): StandingFolder {
    for (const folder of folders) {
      const stays = this.#folders.keeps(folder) || !removeIfEmpty(join(this.#folders.root, folder));
      if (stays) return this.ensure(folder);
      this.#removed(folder);
    }
    return this.#root;
  }

  /** The real folders on the way to `path`, the lowest first, from where one is missing or something else is there. */
  #realFoldersAbove(path: RelPath): RelPath[] {
    const way: RelPath[] = [];
    for (let folder = parentOf(path); folder !== ''; folder = parentOf(folder)) way.push(folder);
    const real = way.toReversed();
    const end = real.findIndex((folder) => !lstatAt(join(this.#folders.root, folder))?.isDirectory());
    return (end < 0 ? real : real.slice(0, end)).toReversed();
  }

  #removed(directory: RelPath): void {
    this.#folders.setNotDurable(join(this.#folders.root, directory));
    const standing = this.#standing.get(directory);
    if (standing !== undefined) standing.removed = true;
    this.#standing.delete(directory);
  }

  /** Looks at `directory` and all above anew. */
  #forget(directory: RelPath | ''): void {
    for (let folder = directory; folder !== ''; folder = parentOf(folder)) this.#standing.delete(folder);
  }

  /**
   * Makes the entries of `used` durable, and those above as needed, each folder once.
   * Returns a function that tells why this failed for a folder; undefined where it succeeded.
   */
  async sync(used: ReadonlySet<StandingFolder>): Promise<(folder: StandingFolder) => unknown> {
    const needed = new Set<StandingFolder>();
    for (const folder of used) for (const each of upToDurable(folder)) if (!each.removed) needed.add(each);
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
      if (each.parent !== undefined && !each.removed) this.#folders.setDurable(each.path, each.identity);
  }
}

/** `folder` and those above it, up to the first whose own entry is durable: these must be synced for it. */
function* upToDurable(folder: StandingFolder): Generator<StandingFolder> {
  yield folder;
  for (let each = folder; each.parent !== undefined; each = each.parent) {
    if (each.durable && !each.removed) return;
    yield each.parent;
  }
}

function firstFailure(folder: StandingFolder, failures: ReadonlyMap<StandingFolder, unknown>): unknown {
  if (failures.size === 0) return undefined;
  return [...upToDurable(folder)].map((each) => failures.get(each)).find((failure) => failure !== undefined);
}
