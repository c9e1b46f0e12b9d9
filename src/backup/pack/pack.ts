import type { Log } from '../../model/log.ts';
import type { BackupJob } from '../job.ts';
import type { FileRecord } from '../list/file-record.ts';
import type { BackupCounts, BackupProblem } from '../manifest/manifest.ts';

/** What one archive is made of. */
export interface PackRequest {
  readonly job: Pick<BackupJob, 'sources' | 'stateDir' | 'to' | 'compress'>;
  readonly version: number;
  /** What an incremental backup is compared with: its records, in order, once. */
  readonly base: PackBase | undefined;
  /** Counts of the backup before, of whatever type: it tells whether this one has shrunk. */
  readonly before: Pick<BackupCounts, 'files' | 'bytes'> | undefined;
  /** Reads every file again, whatever its times say. */
  readonly isRehash: boolean;
  /** Takes encryption on; undefined where there is none. */
  readonly sealer: Sealer | undefined;
  /** Gets the archive. */
  readonly sink: ByteSink;
  /** Where the list is written: plain JSON lines, made anew, for its owner alone. */
  readonly listFile: string;
  /** A place for what commands print, which tar must know the length of. */
  readonly scratchFolder: string;
  readonly log: Log;
  readonly signal: AbortSignal;
  /** Told now and then; must not throw. */
  readonly onProgress?: ((progress: PackProgress) => void) | undefined;
}

export interface PackBase {
  readonly version: number;
  readonly records: AsyncIterable<FileRecord>;
}

export interface PackProgress {
  readonly files: number;
  readonly bytes: number;
}

export interface Packed {
  /** The archive as it went into the sink. */
  readonly size: number;
  readonly sha256: string;
  readonly counts: BackupCounts;
  readonly problems: readonly BackupProblem[];
  /** Versions of the archives that the list points to. */
  readonly needs: ReadonlySet<number>;
  readonly records: number;
  readonly isShrunk: boolean;
}

/** Takes bytes in order. One write at a time; once it has resolved, the bytes may be changed. */
export interface ByteSink {
  /** Resolves when more may come. Rejects with an IsyncError when no more is wanted. */
  write(bytes: Uint8Array): Promise<void>;
}

/** Encrypts one object, from its first byte to its last. */
export interface Sealer {
  /** Returns what can be written by now. */
  seal(bytes: Uint8Array): Uint8Array;
  /** The rest. Once. */
  end(): Uint8Array;
}
