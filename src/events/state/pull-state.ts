import type { RelPath } from '../../model/rel-path.ts';

/** What was written for a key, and from which version of its object. */
export interface KnownObject {
  readonly bucket: string;
  readonly key: string;
  readonly kind: 'file' | 'folder';
  /** The mapped folder, absolute, and the path below it. */
  readonly folder: string;
  readonly path: RelPath;
  /** Without quotes. */
  readonly etag: string;
  readonly versionId: string | undefined;
  /** Bytes and mtime of the file, as they were written; both 0 for a folder. */
  readonly size: number;
  readonly mtimeUs: number;
  /** Of the event that led to it: an older removal is not believed. */
  readonly sequencer: string | undefined;
  readonly timeMs: number | undefined;
}

/** A large object on its way. */
export interface PartialObject {
  readonly bucket: string;
  readonly key: string;
  /** Of the version whose bytes are staged. */
  readonly etag: string;
}

/** What a file or folder at a path is known to stand in the way of. */
export interface PathUse {
  /** The key that wrote exactly this path. */
  readonly owner: KnownObject | undefined;
  /** Some key that wrote something below this path. */
  readonly below: KnownObject | undefined;
  /** A key that wrote a file where a folder above this path would have to be. */
  readonly above: KnownObject | undefined;
}

/** A path that changed and that the command of `exec` has not been told yet. */
export interface OwedPath {
  /** Of this change: a path that changes again is owed under another id. */
  readonly id: number;
  /** Absolute. */
  readonly path: string;
}

/**
 * What a pull remembers. All of it can be found again by comparing: losing it costs time, and removals are not followed until
 * then. Reads are synchronous, and see what was written before them. A write resolves when it is durable; many at a time
 * share one commit, and writes of one turn of the event loop become durable together or not at all. One that rejects has
 * changed nothing. All reject with an IsyncError: STORE_FULL or STORE_FAILED.
 */
export interface PullState extends AsyncDisposable {
  get(bucket: string, key: string): KnownObject | undefined;
  set(object: KnownObject): Promise<void>;
  remove(bucket: string, key: string): Promise<void>;
  /**
   * Notes what is about to be written for a key: of a process that is killed between the writing and the `set`, the next one
   * would not know what it wrote, and never remove it.
   */
  setPending(object: KnownObject): Promise<void>;
  removePending(bucket: string, key: string): Promise<void>;
  pending(): readonly KnownObject[];
  /** Who uses a path, of any bucket and prefix; also where mapped folders lie inside another. `path` may be '' for `folder` itself. */
  useOf(folder: string, path: RelPath | ''): PathUse;
  /** All keys of a bucket that begin with `prefix`, in the order of their UTF-8 bytes, read a page at a time. */
  list(bucket: string, prefix: string): Iterable<KnownObject>;
  count(bucket: string, prefix: string): number;
  /** Those that a known object is from. */
  buckets(): readonly string[];

  partial(bucket: string, key: string): PartialObject | undefined;
  setPartial(partial: PartialObject): Promise<void>;
  removePartial(bucket: string, key: string): Promise<void>;

  /** The id of the store that a mapped folder was when it was first used: another one is another disk, or none. */
  storeId(folder: string): string | undefined;
  setStoreId(folder: string, id: string): Promise<void>;

  /** What is owed to the command of `exec`: at most `limit`, the oldest change first, each path once. */
  owed(limit: number): readonly OwedPath[];
  /** `paths` are absolute. One that is owed already counts as changed now. */
  setOwed(paths: readonly string[]): Promise<void>;
  /** What has changed again since it was read stays owed. */
  removeOwed(owed: readonly OwedPath[]): Promise<void>;
}
