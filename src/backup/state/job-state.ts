import type { BackupType } from '../job.ts';
import type { SealSecrets } from '../encrypt/encryption.ts';

/**
 * What a job remembers on its machine, in one SQLite file of its folder. All of it can be lost: then the next backup is a full one, under a
 * version that no object of the store has. Every write is durable when its call returns.
 */
export interface JobState extends Disposable {
  /** Made once; that of the object in the store. */
  readonly jobId: string;
  /** Takes over the id that a store has, after `--adopt`. */
  adopt(jobId: string): void;

  /** The next version: above all that this state, or `seen` (of the stores), has ever had. Never given twice. */
  takeVersion(seen: number): number;

  readonly runs: RunRecords;
  readonly packs: PackRecords;
  readonly targets: TargetRecords;
}

/** Runs, the newest {@link MAX_RUNS} of them: for status, metrics and notices. */
export interface RunRecords {
  begin(run: Pick<RunRecord, 'id' | 'startedMs' | 'type' | 'trigger'>): void;
  update(id: string, change: Partial<Omit<RunRecord, 'id'>>): void;
  /** The newest first. */
  list(limit?: number): readonly RunRecord[];
}

export const MAX_RUNS = 1000;

/** Where a run is. In this order; it ends in `done`, `problems`, `failed` or `interrupted`. */
export type RunStage = 'before' | 'packing' | 'uploading' | 'finishing' | 'pruning' | RunOutcome;
export type RunOutcome = 'done' | 'problems' | 'failed' | 'interrupted';

export interface RunRecord {
  /** UUID, in every line of log, notice and metric of the run. */
  readonly id: string;
  readonly startedMs: number;
  readonly endedMs: number | undefined;
  readonly type: BackupType;
  readonly trigger: 'schedule' | 'command' | 'catch-up';
  readonly stage: RunStage;
  /** Packed so far. */
  readonly files: number;
  readonly bytes: number;
  readonly retries: number;
  readonly problems: number;
  /** Names of the backups that it has made. */
  readonly backups: readonly string[];
  /** Code and words of what ended it. */
  readonly error: { readonly code: string; readonly message: string } | undefined;
}

/** Archives under way: what a run that was killed goes on with. Gone when every target has it, or has failed. */
export interface PackRecords {
  begin(pack: PackRecord): void;
  find(): readonly PackRecord[];
  /**
   * A part, before any of it leaves: from then on `parts` has its MD5. For each of `targets` it is pending, but where that very part is
   * done.
   */
  addPart(version: number, part: PackedPart, targets: readonly string[]): void;
  /** Parts that may have left, to whatever target and upload, by number. */
  parts(version: number): ReadonlyMap<number, PackedPart>;
  /** All its bytes are in the spool, or acknowledged: it need not be packed again. */
  packed(version: number, archive: PackedArchive): void;
  /** The spool had no room for all of it: after a kill it is packed again. */
  overflowed(version: number): void;
  end(version: number): void;
}

export interface PackRecord {
  readonly run: string;
  readonly version: number;
  readonly name: string;
  readonly type: BackupType;
  readonly base: number | undefined;
  /** Of the manifest; also the time in the name. */
  readonly startedMs: number;
  readonly partBytes: number;
  readonly secrets: SealSecrets | undefined;
  /** Undefined until its last byte has been packed. */
  readonly packed: PackedArchive | undefined;
  readonly isOverflowed: boolean;
  /** What it is uploaded to, by name of the target. */
  readonly targets: readonly string[];
}

export interface PackedArchive {
  readonly size: number;
  /** Hex. */
  readonly sha256: string;
}

export type PackedPart = Pick<PartRecord, 'number' | 'size' | 'md5'>;

/** Uploads and parts of each target, and what is known of it. */
export interface TargetRecords {
  upload(target: string, version: number): UploadRecord | undefined;
  beginUpload(target: string, upload: Pick<UploadRecord, 'version' | 'key' | 'id'>): void;
  endUpload(target: string, version: number, outcome: 'complete' | 'failed'): void;
  /** By number. */
  parts(target: string, version: number): readonly PartRecord[];
  setPart(target: string, version: number, part: PartRecord): void;
  /** Manifests that were read before, so that a run reads new ones only. */
  cached(target: string, key: string, etag: string): Uint8Array | undefined;
  cache(target: string, key: string, etag: string, bytes: Uint8Array): void;
  /** All that is cached of a target, in any order: manifests and marks that it had when it was last listed. */
  allCached(target: string): readonly { readonly key: string; readonly bytes: Uint8Array }[];
  /** Drops what is cached of other keys. */
  keepCached(target: string, keys: ReadonlySet<string>): void;
  /** What `verify` has found of a backup, the last time. */
  verification(target: string, version: number): VerificationRecord | undefined;
  setVerification(target: string, version: number, found: VerificationRecord): void;
  /** Drops what was found of other backups: they have been removed. */
  keepVerifications(target: string, versions: ReadonlySet<number>): void;
  /** Objects that are to go with a manifest that is removed next. */
  noteRemoval(target: string, keys: Iterable<string>): void;
  /** They are gone, or stay. */
  endRemoval(target: string, keys: Iterable<string>): void;
  removals(target: string): ReadonlySet<string>;
  /** Up to here a person has agreed with the size of the backups that are there; 0: with none. */
  agreedVersion(target: string): number;
  /** Never lowers it. */
  agree(target: string, version: number): void;
  /** An archive was locked until then, and it was read back. Drops what has ended by `nowMs`. */
  noteLock(target: string, key: string, untilMs: number, nowMs: number): void;
  /** Until when it was locked, in ms since the epoch; 0 where that is not known. */
  lockNoted(target: string, key: string): number;
}

export interface UploadRecord {
  readonly version: number;
  readonly key: string;
  /** Of the target: see BackupTarget.begin. Empty where none could be begun. */
  readonly id: string;
  /** `pending`: also one that a person has to mend something for. A later run goes on with it. */
  readonly outcome: 'pending' | 'complete' | 'failed';
}

export interface PartRecord {
  /** From 1. */
  readonly number: number;
  readonly size: number;
  /** Of its bytes, hex: a part that was packed again and is the same is not sent again. */
  readonly md5: string;
  readonly status: 'pending' | 'done' | 'failed';
  readonly etag: string | undefined;
  readonly changedMs: number;
}

export interface VerificationRecord {
  readonly atMs: number;
  /** `shallow`: manifests, chains and sizes. `sample`: some bytes. `deep`: all. */
  readonly depth: 'shallow' | 'sample' | 'deep' | 'source';
  /** What is wrong; undefined: nothing. */
  readonly fault: string | undefined;
  /** Of the archive, bytes up to here have been read in this round; a sample goes on from there. */
  readonly readTo: number;
}
