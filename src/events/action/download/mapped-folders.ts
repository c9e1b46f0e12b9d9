import { existsSync, lchownSync, mkdirSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Mapping } from '../../../config/sync-map.ts';
import { errnoOf, IsyncError } from '../../../model/isync-error.ts';
import type { OwnerIds } from '../../../model/owner-ids.ts';
import type { RelPath } from '../../../model/rel-path.ts';
import { syncFolder } from '../../../model/sync-folder.ts';
import { existingFolder } from '../../../store/file/existing-folder.ts';
import { openFileStore } from '../../../store/file/file-store.ts';
import type { FileStoreOptions, LocalStore } from '../../../store/file/local-store.ts';
import { lstatAt } from '../../../store/file/read-folder.ts';
import { storeError } from '../../../store/file/system-errors.ts';
import { OwnPaths } from '../../match/own-paths.ts';
import type { PullState } from '../../state/pull-state.ts';

export interface FolderOptions {
  readonly mappings: readonly Mapping[];
  readonly state: PullState;
  /** Permission bits of files. Default 0644. */
  readonly mode?: number | undefined;
  /** Of files, and of folders that are made. */
  readonly owner?: OwnerIds | undefined;
  /** Bytes that stay free on each disk, else STORE_FULL. Default 0. */
  readonly minFreeBytes?: number | undefined;
  /** Makes nothing. */
  readonly dryRun?: boolean | undefined;
}

/** A mapped folder, and what is in it. */
export interface MappedFolder {
  /** As the mapping names it. */
  readonly folder: string;
  /** Its real path, under which the state knows its files. */
  readonly root: string;
  /** Undefined only in a dry run, where the folder is yet to be made. */
  readonly store: LocalStore | undefined;
  /** @throws IsyncError STORE_MISSING (retryable) where its disk is gone, or another one is in its place */
  check(): Promise<void>;
  /** Whether a path is that of files that the store, or one of a mapped folder inside this one, has for itself. */
  isReserved(path: RelPath): boolean;
}

/**
 * Opens the folders of all mappings, each once. One that is missing is made, unless the state knows it: then its disk is not
 * mounted. One that the state knows must be the very same store.
 * @throws IsyncError STORE_MISSING, STORE_FAILED
 */
export async function openMappedFolders(options: FolderOptions): Promise<MappedFolders> {
  const folders = new Map<string, MappedFolder>();
  const roots = new Set<string>();
  const own = new OwnPaths();
  const opened = new Map<string, LocalStore>();
  await using cleanup = new AsyncDisposableStack();
  for (const folder of new Set(options.mappings.map((mapping) => mapping.folder))) {
    await checkKnown(folder, options.state);
    const isThere =
      options.dryRun === true ? lstatAt(folder) !== undefined : await makeFolder(folder, options.owner);
    const root = isThere ? await existingFolder(folder) : folder;
    roots.add(root);
    own.add(root);
    let store = opened.get(root);
    if (isThere && store === undefined) {
      store = await openFileStore(root, storeOptions(options, root, roots));
      opened.set(root, store);
      cleanup.use(store);
    }
    const id = store && (await store.identity()).id;
    if (id !== undefined && options.dryRun !== true) await options.state.setStoreId(folder, id);
    folders.set(folder, {
      folder,
      root,
      store,
      check: async () => {
        if (id !== undefined && (await store?.identity())?.id !== id) throw otherStore(folder, true);
      },
      isReserved: (path) => own.has(root, path),
    });
  }
  const all = cleanup.move();
  return {
    all: [...folders.values()],
    of: (mapping) => {
      const found = folders.get(mapping.folder);
      if (found !== undefined) return found;
      throw new IsyncError('INTERNAL', 'a folder that no mapping has', { path: mapping.folder });
    },
    [Symbol.asyncDispose]: () => all[Symbol.asyncDispose](),
  };
}

export interface MappedFolders extends AsyncDisposable {
  readonly all: readonly MappedFolder[];
  of(mapping: Mapping): MappedFolder;
}

/** The store of the folder. A dry run, where there may be none, must not ask for it. */
export function storeOf({ folder, store }: MappedFolder): LocalStore {
  if (store !== undefined) return store;
  throw new IsyncError('INTERNAL', 'a dry run writes nothing', { path: folder });
}

function storeOptions(
  { state, mode, owner, minFreeBytes, dryRun }: FolderOptions,
  root: string,
  roots: ReadonlySet<string>,
): FileStoreOptions {
  return {
    readOnly: dryRun,
    mode,
    owner,
    minFreeBytes,
    // Whoever fills one first-level folder shares the disk with all others: they are no devices.
    oneQueue: true,
    direct: true,
    keeps: (folder) => roots.has(join(root, folder)) || state.useOf(root, folder).owner?.kind === 'folder',
  };
}

/** Before anything is made in the folder. */
async function checkKnown(folder: string, state: PullState): Promise<void> {
  const known = state.storeId(folder);
  if (known === undefined) return;
  if (lstatAt(folder) === undefined) throw otherStore(folder, false);
  await using store = await openFileStore(folder, { readOnly: true });
  if ((await store.identity()).id !== known) throw otherStore(folder, false);
}

function otherStore(folder: string, retryable: boolean): IsyncError {
  return new IsyncError('STORE_MISSING', 'the mapped folder is not the one that was used until now', {
    path: folder,
    retryable,
    hint: 'Mount its disk. Or move the state file away to begin anew, and start with --resync: then all files are compared with the bucket.',
  });
}

function leadsNowhere(path: string): IsyncError {
  return new IsyncError('STORE_MISSING', 'a symlink is where a mapped folder is to be, and leads nowhere', {
    path,
    hint: 'Mount the disk that it leads to, or make the folder there: isync does not make it, lest it fill the wrong disk.',
  });
}

/** Makes the folder and those above it, durable. Returns true. */
async function makeFolder(path: string, owner: OwnerIds | undefined): Promise<true> {
  try {
    const found = lstatAt(path);
    if (found?.isSymbolicLink() === true && !existsSync(path)) throw leadsNowhere(path);
    if (found !== undefined) return true;
    const parent = dirname(path);
    if (parent !== path) await makeFolder(parent, owner);
    try {
      mkdirSync(path);
      if (owner !== undefined) lchownSync(path, owner.uid, owner.gid);
    } catch (error) {
      if (errnoOf(error) !== 'EEXIST') throw error;
    }
    // Its path may lead over a symlink.
    await syncFolder(realpathSync(parent));
    return true;
  } catch (error) {
    throw storeError(error, path);
  }
}
