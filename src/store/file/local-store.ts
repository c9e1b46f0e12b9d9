import type { OwnerIds } from '../../model/owner-ids.ts';
import type { RelPath } from '../../model/rel-path.ts';
import type { BeginOptions, Store, Upload } from '../store.ts';

export interface FileStoreOptions {
  /** Makes and collects nothing, for commands that only look and list. Default false. */
  readonly readOnly?: boolean | undefined;
  /** Keeps the rule of immutability.ts, also between processes. Needs hard links. Default false. */
  readonly immutable?: boolean | undefined;
  /**
   * Publishes only where nothing of that name is: else NOT_OVERWRITTEN, whatever is there. Between processes too where the file
   * system has hard links. Not together with `immutable`. Default false.
   */
  readonly onlyNew?: boolean | undefined;
  /** Bytes that stay free on the store's file system (else STORE_FULL). Default 0: the file system itself refuses. */
  readonly minFreeBytes?: number | undefined;
  /** Bytes of unfinished uploads that stay for each first-level folder; the oldest go first. Default: no limit. */
  readonly maxStagedBytes?: number | undefined;
  /** Age in ms at which an upload that nobody has resumed is thrown away. Default: 7 days. */
  readonly stalePartialMs?: number | undefined;
  /** Permission bits of published files. Default 0644. */
  readonly mode?: number | undefined;
  /** Whose published files and new folders become. Default: whoever runs this process. */
  readonly owner?: OwnerIds | undefined;
  /** Whether a folder stays when a removal has left it empty. Must not throw. Default: none does. */
  readonly keeps?: ((folder: RelPath) => boolean) | undefined;
  /**
   * Uploads are written by this thread as long as the page cache takes them at once: see DirectAppender. For a process that has
   * little else to do while it writes. Default false: by the thread pool.
   */
  readonly direct?: boolean | undefined;
  /**
   * This thread itself looks at files, and reads small ones: see read-directly.ts. For a process that has little else to do meanwhile.
   * Default: where the store is on a tmpfs; else what may wait for the disk is left to the thread pool, so that a slow one holds up nobody.
   */
  readonly readsDirectly?: boolean | undefined;
  /** Writes down each seal, for a store from which sealed directories go by age. Default false. */
  readonly recordSeals?: boolean | undefined;
  /** All paths share one queue, for a store whose first-level folders are not devices to be kept apart. Default false. */
  readonly oneQueue?: boolean | undefined;
}

/** A store in a folder: what it can do beyond other stores. */
export interface LocalStore extends Store {
  /** The real path of its folder. */
  readonly root: string;
  begin(file: Parameters<Store['begin']>[0], options: LocalBeginOptions): Promise<Upload>;
  /** Makes a folder, and those above it. Resolves when it is durable. Rejects with PATH_CONFLICT where something else is. */
  makeFolder(path: RelPath): Promise<void>;
  /** Removes a folder that is empty, and those above it that this leaves empty. What is not empty or no folder stays. */
  removeFolder(path: RelPath): Promise<void>;
  /** Makes a file that somebody else has put there durable, with its name. Rejects with FILE_VANISHED where there is none. */
  settle(path: RelPath): Promise<void>;
}

export interface LocalBeginOptions extends BeginOptions {
  /** Tells whether the bytes are right, in the place of a digest: `commit` gets {@link CHECKED}. Not for an immutable store. */
  readonly checks?: ContentChecks | undefined;
  /** Names the version of the bytes beyond path, size and mtime: only an earlier upload of the same one is resumed. */
  readonly version?: string | undefined;
}

export interface ContentChecks {
  /** Called with all bytes in their order, also those of an earlier attempt, before `begin` resolves; they may be reused afterwards. */
  update(bytes: Uint8Array): void;
  /**
   * Called once.
   * @throws IsyncError DIGEST_MISMATCH
   */
  check(): void;
}

/** The digest of an upload that has checks of its own. */
export const CHECKED: Uint8Array = new Uint8Array();
