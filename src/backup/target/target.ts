import type { Abortable } from '../../model/abortable.ts';
import type { ObjectLock } from '../job.ts';
import type { ByteRanges } from '../pack/byte-ranges.ts';

/**
 * One store of one job. Keys are relative to the folder of the job there. Each call is one try, and rejects with an IsyncError whose
 * `retryable` says whether the same call may succeed later; whoever calls repeats it (upload/attempts.ts). Calls may be made at a time.
 */
export interface BackupTarget extends AsyncDisposable {
  /** For people, log and metrics, without secrets: `s3://bucket/prefix`. Also its name in the state: the same after a restart. */
  readonly name: string;
  readonly capabilities: TargetCapabilities;

  /** All objects, in any order. */
  list(options?: Abortable): AsyncIterable<TargetObject>;
  /** Undefined where it is missing. */
  head(key: string, options?: Abortable): Promise<TargetObject | undefined>;
  /**
   * An object of which any range can be read; undefined where it is missing. Reading rejects with FILE_CHANGED where another object
   * stands there by then, and with LINK_LOST where fewer bytes come than asked for.
   */
  read(key: string, options?: Abortable): Promise<ByteRanges | undefined>;
  /** A small object as a whole, also over an earlier one; durable when it resolves. With the lock of the target, where it has one. */
  put(key: string, bytes: Uint8Array, options?: Abortable): Promise<void>;
  /** The same where no object stands. False where one does. Not every server keeps two writers apart here: read it back. */
  putIfAbsent(key: string, bytes: Uint8Array, options?: Abortable): Promise<boolean>;

  /** Begins an upload. The id is a text for the state; another process may go on with it, at another endpoint too. */
  begin(key: string, attributes: ArchiveAttributes, options?: Abortable): Promise<string>;
  /** One part, also over an earlier one of that number (from 1). Resolves to its ETag when the store has it. */
  putPart(upload: TargetUpload, part: TargetPart, options?: Abortable): Promise<string>;
  /** The parts that the store has, by number; undefined where it knows no such upload. */
  parts(upload: TargetUpload, options?: Abortable): Promise<ReadonlyMap<number, StoredPart> | undefined>;
  /**
   * Makes the object of the parts 1 to `etags.length`. May be repeated: an upload that is complete already, with this size, is fine.
   * Resolves when the object is there, durable, and has that size.
   * @throws IsyncError DIGEST_MISMATCH where its size is another
   */
  complete(
    upload: TargetUpload,
    etags: readonly string[],
    size: number,
    options?: CompleteOptions,
  ): Promise<TargetObject>;
  /** One that is gone is fine. */
  abort(upload: TargetUpload, options?: Abortable): Promise<void>;
  /** Uploads under way in the folder of the job, of whatever process. */
  uploads(options?: Abortable): AsyncIterable<TargetUpload & { readonly startedMs: number }>;

  /** `locked`: it can't be removed before its retention ends; it is untouched. In a bucket with versions, the version is removed. */
  remove(key: string, options?: RemoveOptions): Promise<'removed' | 'locked' | 'absent'>;
  /** Until when an object is locked, in ms since the epoch; undefined where it is not. */
  lockedUntil(key: string, options?: Abortable): Promise<number | undefined>;
  /** Locks an object until then, or leaves a longer lock. Reads it back, and rejects with STORE_FAILED where it does not hold. */
  lock(key: string, mode: ObjectLock['mode'], untilMs: number, options?: LockOptions): Promise<void>;

  /** How far our clock is ahead of the store's, in ms, by its last answer; undefined before the first, or where it has no clock. */
  readonly clockAheadMs: number | undefined;
}

export interface TargetCapabilities {
  /** Whether the settings ask for locks here. */
  readonly lock: ObjectLock | undefined;
  /** Bounds of parts in bytes; the last part of an upload may be smaller. */
  readonly leastPartBytes: number;
  readonly mostPartBytes: number;
}

export interface TargetObject {
  readonly key: string;
  readonly size: number;
  /** By the clock of the store. */
  readonly modifiedMs: number;
  /** Changes with the content: what a cache is keyed by. */
  readonly etag: string;
}

export interface ArchiveAttributes {
  /** Of each part but the last, which may be shorter. */
  readonly partBytes: number;
  readonly tags: Readonly<Record<string, string>>;
  readonly metadata: Readonly<Record<string, string>>;
}

export interface CompleteOptions extends Abortable {
  /** Those of the upload once more: there are servers that drop them from multipart uploads. */
  readonly tags?: ArchiveAttributes['tags'] | undefined;
}

export interface LockOptions extends Abortable {
  /** It has just been made: its lock need not be asked for before it is set. */
  readonly isNew?: boolean | undefined;
}

export interface RemoveOptions extends Abortable {
  /** It was listed a moment ago, so the store need not be asked for it first: one that has gone since is `removed`, too. */
  readonly isListed?: boolean | undefined;
}

export interface TargetUpload {
  readonly key: string;
  readonly id: string;
}

export interface TargetPart {
  /** From 1. */
  readonly number: number;
  readonly bytes: Uint8Array;
  /** Of the bytes, base64. */
  readonly md5: string;
}

export interface StoredPart {
  readonly size: number;
  readonly etag: string;
}
