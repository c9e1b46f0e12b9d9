import type { Abortable } from '../model/abortable.ts';
import type { DigestAlgorithm } from '../model/digest.ts';
import type { FileEntry } from '../model/file-entry.ts';
import type { IsyncError } from '../model/isync-error.ts';
import type { RelPath } from '../model/rel-path.ts';
import type { StoreNotes } from './store-notes.ts';
import type { StoreRetirements } from './store-retirements.ts';

/** What differs between stores; code asks these values, never the class. */
export interface StoreCapabilities {
  /** `list` tells the mtime that was put, as `stat` does; else it tells when the file was published. */
  readonly listedMtime: boolean;
}

/**
 * Where files are kept. Guarantees of every store:
 * - A reader sees a whole version of a file or none: nothing appears under its path before `put` or `commit`
 *   has checked the digest, and a failed one leaves what was there before.
 * - When `put`, `commit` or `sync` resolve, bytes, name and mtime survive a power cut. So does a `remove`.
 * - Putting the same file again is harmless. Of two versions of one path put at the same time, either wins whole.
 * - A version that a power cut seems to have damaged (see damage.ts) does not replace the kept one unless
 *   `replaceDamaged` says so: `put`, `begin` and `commit` reject with SOURCE_DAMAGED, which is not retryable.
 * - Calls may overlap freely; the caller bounds how many. The store retries nothing; a rejection is an
 *   IsyncError whose `retryable` says whether trying again can help (STORE_FULL, STORE_FAILED on I/O).
 * - Paths never leave the store, not even through symlinks that somebody planted in it (PATH_CONFLICT).
 */
export interface Store extends AsyncDisposable {
  readonly capabilities: StoreCapabilities;

  /** Absent where it keeps nothing but files. */
  readonly notes?: StoreNotes | undefined;

  /** Absent where directories are not retired: in a bucket, whose own lifecycle rules remove objects. */
  readonly retirements?: StoreRetirements | undefined;

  /** Which store this is, looked up anew: it may have been emptied or swapped since it was opened. */
  identity(options?: Abortable): Promise<StoreIdentity>;

  /** The published version of a file; undefined where there is none (or something that is not a file). */
  stat(path: RelPath, options?: Abortable): Promise<FileEntry | undefined>;

  /** Every published file at or below `prefix`, in no order, each once; not the store's own files. */
  list(prefix: RelPath | '', options?: ListOptions): AsyncIterable<FileEntry>;

  /** The published version of a file and its bytes; undefined where there is none (or something that is not a file). */
  read(path: RelPath, options?: ReadOptions): Promise<StoredFile | undefined>;

  /**
   * Publishes a file whose bytes are all here (`bytes.length === file.size`).
   * Rejects with DIGEST_MISMATCH when `digest` is not that of `bytes`, and with SOURCE_DAMAGED.
   */
  put(file: FileEntry, bytes: Uint8Array, digest: FileDigest, options?: PublishOptions): Promise<void>;

  /**
   * Does for each of `files`, which have different paths, what a `put` does, at less cost. One that is refused stops no other. The
   * bytes of a file must stay as they are until its outcome is told. Resolves when that of all is; never rejects.
   */
  putMany<File extends WholeFile>(
    files: readonly File[],
    outcome: PutOutcome<File>,
    options?: PublishOptions,
  ): Promise<void>;

  /**
   * Starts or resumes an upload. An earlier one of exactly this path, size and mtime continues at its durable
   * offset, even after a restart of the process. That may be less than was written, where only whole parts are kept. With
   * `resume: false` the earlier one is thrown away first.
   *
   * Rejects with BUSY (retryable) while another upload of the same file is open in this process, and with
   * SOURCE_DAMAGED where the file is shorter than the kept one.
   */
  begin(file: FileEntry, options: BeginOptions): Promise<Upload>;

  /**
   * Removes a file, and the folders above it that this leaves empty, also that of the device. A file that is not there is
   * fine, and so is something that is not a file, which stays. Puts and removals of one path run in the order of the
   * calls. A put never fails because a removal has just emptied its folder.
   */
  remove(path: RelPath, options?: Abortable): Promise<void>;

  /**
   * Makes the folders at, below and above `directory` durable, including what another process published there before it
   * was killed. This is the last step of a seal.
   */
  sync(directory: RelPath, options?: Abortable): Promise<void>;
}

/** What of a store is needed to bring its files back. */
export type ReadableStore = Pick<Store, 'capabilities' | 'stat' | 'list' | 'read'> & AsyncDisposable;

export interface StoreIdentity {
  /**
   * Random, kept in the store itself, durable, and the same for every process that has it open. It is made when it is
   * first asked for. Undefined where there is none yet and nothing may be written.
   */
  readonly id: string | undefined;
  /** Bytes that files may take here for now; undefined where no disk tells. Quotas of devices count on their own. */
  readonly freeBytes?: number | undefined;
}

export interface ListOptions extends Abortable {
  /**
   * Told of each folder below `prefix` that can't be read, or not to its end; the listing then goes on without the rest of it. Must not
   * throw. Default: the listing rejects.
   */
  readonly onUnreadable?: ((folder: RelPath, error: IsyncError) => void) | undefined;
}

export interface ReadOptions extends Abortable {
  /** The first byte that is wanted. Default 0. From the size of the file on there are none. */
  readonly start?: number | undefined;
  /**
   * Most bytes that are wanted. The store may read that many at once, and hold them in memory: in a bucket they come with the answer
   * that tells of the version. Default: all to the end.
   */
  readonly length?: number | undefined;
  /**
   * Says that the caller is done with each piece before it asks for the next one, whose bytes may then take its place. A
   * large file on a disk is read in half the time then. Default false: each piece belongs to the caller.
   */
  readonly reuse?: boolean | undefined;
  /**
   * Gives memory for a piece of that many bytes, which belongs to the caller. A store need not ask for it. Called only while the bytes are
   * read. Default: memory of their own.
   */
  readonly memory?: ((bytes: number) => Buffer) | undefined;
}

/** A published version. It holds nothing open until its bytes are asked for; see `length` for what it may hold in memory. */
export interface StoredFile {
  readonly entry: FileEntry;
  /**
   * Differs between versions of the path that have other bytes, also of the same size and mtime, and is the same for one version as
   * long as nothing about it is changed. Undefined where the store can't tell.
   */
  readonly version?: string | undefined;
  /** Of just this version's bytes as they were put, where the store keeps it with them; told without reading any. */
  readonly digest?: FileDigest | undefined;
  /**
   * The bytes of just this version from `start` on, at most `length`, once. The iteration rejects with FILE_CHANGED (retryable) when the
   * file was replaced or removed before it began, or is changed before it ends; so the bytes count only once it has ended.
   * A version that is replaced during the iteration may also be read to its end, whole. The
   * iteration releases all it holds when it ends, also early. In a bucket only some run at a time; others wait for them.
   */
  readonly bytes: AsyncIterable<Uint8Array>;
  /**
   * All bytes that are wanted, where few are and the store has read them at once. They belong to the caller, who has no use for `bytes`
   * then. A piece by an iteration costs some ten times as much.
   */
  readonly content?: Buffer | undefined;
}

export interface FileDigest {
  readonly algorithm: DigestAlgorithm;
  readonly value: Uint8Array;
}

/** A file whose bytes are all here. */
export interface WholeFile {
  readonly file: FileEntry;
  readonly bytes: Uint8Array;
  readonly digest: FileDigest;
}

/** Told of each file of a `putMany` once, as soon as its outcome is known. Neither may throw. */
export interface PutOutcome<File extends WholeFile> {
  /** `put` would have resolved: bytes, name and mtime are durable. */
  kept(file: File): void;
  /** `put` would have rejected with `reason`. */
  refused(file: File, reason: unknown): void;
}

export interface PublishOptions {
  /** Publish also what a power cut seems to have damaged. Default false. */
  readonly replaceDamaged?: boolean | undefined;
}

export interface BeginOptions extends Abortable, PublishOptions {
  readonly algorithm: DigestAlgorithm;
  readonly resume: boolean;
}

/** One file on its way in. Exactly one of `commit`, `abort` and `suspend` ends it; after that all three do nothing more. */
export interface Upload {
  /** Bytes that are here already; the next `write` continues after them. Grows with each write. */
  readonly offset: number;
  /** Appends `chunks` in their order. One call at a time: wait for the promise, which resolves when the bytes may be reused. */
  write(...chunks: readonly Uint8Array[]): Promise<void>;
  /**
   * Publishes. Rejects with DIGEST_MISMATCH when the whole file is not what `digest` says, and with SOURCE_DAMAGED; the
   * partial bytes are thrown away then, so that the next attempt starts from nothing.
   */
  commit(digest: Uint8Array): Promise<void>;
  /** Throws the partial bytes away. */
  abort(): Promise<void>;
  /** Lets go but keeps the partial bytes for a later `begin`. */
  suspend(): Promise<void>;
}
