import type { Abortable } from '../model/abortable.ts';
import type { DigestAlgorithm } from '../model/digest.ts';
import type { FileEntry } from '../model/file-entry.ts';
import type { IsyncError } from '../model/isync-error.ts';
import type { RelPath } from '../model/rel-path.ts';

/**
 * Where a sender's files go. Guarantees, for every form of it:
 * - `put` and `seal` resolve when all is durable at the target, never when it is merely sent.
 * - All calls are idempotent and may overlap freely; the caller bounds how many.
 * - Links that break are made again inside; a call rejects only when retrying would not help:
 *   for a fault of this one file (FILE_*, IMMUTABLE, PATH_CONFLICT, …), a refusal (AUTH_REFUSED,
 *   VERSION_UNSUPPORTED, FENCED, TLS_FAILED), or UNREACHABLE/STORE_FULL once the retry limit is over.
 */
export interface Target extends AsyncDisposable {
  readonly traits: TargetTraits;

  /** Resolves with the error when the other side has refused us for good. A store of this process never does. */
  readonly refused: Promise<IsyncError>;

  /**
   * Tells who is at the target now; waits for a connection as every call does. A confirmation counts as long as this tells
   * the incarnation of its receipt. Ask again after `seal`: another incarnation may have answered it.
   */
  identify(options?: Abortable): Promise<TargetIdentity>;

  /** Whether no call can end now: there is no link, or every open call waits for another try. */
  readonly stalled: boolean;

  put(file: SourceFile, options?: PutOptions): Promise<Receipt>;

  /** Resolves to what the target holds under each of `paths`, in their order; undefined where nothing. */
  look(paths: readonly RelPath[], options?: LookOptions): Promise<readonly (TargetRecord | undefined)[]>;

  /**
   * When the target has removed a data directory by its own retention, in ms since 1970; undefined where it has not, or can't tell. What is
   * missing there of a directory that was sealed earlier is not lost, then.
   */
  retiredAt(directory: RelPath, options?: Abortable): Promise<number | undefined>;

  /** Every file the target holds at or below `prefix` for this device, in no order. */
  list(prefix: RelPath | '', options?: Abortable): AsyncIterable<FileEntry>;

  /**
   * The last step of a directory, called once all its files are durable: publishes `marker` (the parser's, where
   * there is one) as its last file, then makes the directory itself durable.
   */
  seal(directory: RelPath, marker: SourceFile | undefined, options?: Abortable): Promise<void>;
}

/** What a user of a target must know before asking it anything. */
export interface TargetTraits {
  /** Whose files these are. */
  readonly device: string;
  /** Digest of whole files, in receipts and records. */
  readonly digest: DigestAlgorithm;
  /** Files of the backlog that may be unconfirmed at a time: enough to fill the link. */
  readonly filesInFlight: number;
  /** Whether it also keeps files that a power cut seems to have damaged; else it refuses them (SOURCE_DAMAGED). */
  readonly replaceDamaged: boolean;
}

/**
 * What suits most targets: 2 MB of files of 4 KiB fill 100 Mbit/s over 100 ms. Twice as many are no faster and cost either
 * side 20 MB.
 */
export const FILES_IN_FLIGHT = 512;

export interface TargetIdentity {
  /**
   * Tells the store from all others, by whatever address it is reached; undefined where the other side does not say
   * (an older receiver).
   */
  readonly store: string | undefined;
  /**
   * Differs when what was confirmed before may be gone: another store, or another process in front of it.
   * Confirmations count for one incarnation only.
   */
  readonly incarnation: string;
  /** Whether `list` tells the files' own mtimes; else the times of publication, so ask `look` for the record. */
  readonly listedMtime: boolean;
}

export interface PutOptions extends Abortable {
  /** Live files go ahead of everything not yet sent. Default 'backlog'. */
  readonly priority?: 'live' | 'backlog';
  /** Called with the count of content bytes as they leave, also when they are sent again. Must not throw. */
  readonly onSent?: (bytes: number) => void;
}

export interface LookOptions extends Abortable {
  /** Also tell the digest of the file at the target, which is read for it. */
  readonly digest?: boolean | undefined;
  /**
   * With `digest`: one that the target keeps with the file, and with the file alone, need not be computed anew. A folder and a
   * receiver keep none and read the file all the same.
   */
  readonly keptDigest?: boolean | undefined;
  /**
   * With `digest`: whose answer it must be. The call rejects with OTHER_STORE where another store answers, also one that
   * took its place while the files were read, and with VERSION_UNSUPPORTED where the other side can't tell.
   */
  readonly store?: string | undefined;
}

export interface TargetRecord {
  readonly entry: FileEntry;
  readonly digest: Buffer | undefined;
}

export interface Receipt {
  /** Digest of the bytes that are durable at the target. */
  readonly digest: Buffer;
  /** Bytes of content that crossed the link for it, all attempts together (less than the size after a resume). */
  readonly sentBytes: number;
  /** The incarnation that confirmed it; see {@link TargetIdentity}. */
  readonly incarnation: string;
}

/**
 * One version of one local file. Reading is guarded: every read is of exactly the version that `entry` names, or
 * rejects with FILE_CHANGED, FILE_VANISHED, FILE_UNREADABLE or NOT_REGULAR. May be read again after a broken link.
 */
export interface SourceFile {
  readonly entry: FileEntry;
  /**
   * The whole content in one go; for small files. Synchronous, because promises per call cost more than the read.
   * @param into memory that may hold it, from its beginning: to have some for each file costs as much as to read a small one
   */
  readWhole(into?: Buffer): Buffer;
  open(): Promise<SourceReader>;
  /** Closes what `readWhole` has left open, which it may do until then. To be called whenever the file has to wait, and at its end. */
  letGo(): void;
}

/** An open file. Close it in every case. */
export interface SourceReader extends AsyncDisposable {
  /** Fills as much of `into` as the file has from `position`; returns the count, short only at the file's end. */
  read(into: readonly Uint8Array[], position: number): Promise<number>;
  /** Rejects with FILE_CHANGED unless the file is still the version that `entry` names. */
  check(): Promise<void>;
}
