import type { BackupType, Compression } from '../job.ts';

/** The number of the format that this version of isync writes; it reads none above. */
export const MANIFEST_FORMAT = 1;

/**
 * What a backup is: put last, so that without it the backup does not exist. Never encrypted: it has neither paths nor content.
 * Of the keys, each is relative to the folder of the job in the store.
 */
export interface Manifest {
  readonly format: typeof MANIFEST_FORMAT;
  /** Of isync, for people. */
  readonly madeBy: string;
  readonly job: string;
  /** Of the job on the machine that made it: see JobObject. */
  readonly jobId: string;
  readonly run: string;
  /** What the backup is called; the key of its archive. */
  readonly name: string;
  /** Larger than that of every earlier backup of the job: the order of backups. */
  readonly version: number;
  readonly type: BackupType;
  /** When its packing began, by the clock of the machine, in ms since the epoch: the time that it is of. */
  readonly startedMs: number;
  readonly finishedMs: number;
  readonly timezone: string;
  readonly compress: Compression;
  readonly isEncrypted: boolean;
  readonly archive: StoredObject;
  readonly list: StoredObject & { readonly records: number };
  /** Every archive that its list points to, its own with it, by version. */
  readonly needs: readonly NeededArchive[];
  /** The backup that it was compared with. */
  readonly base: number | undefined;
  readonly counts: BackupCounts;
  /** The first {@link MAX_PROBLEMS}; `counts.problems` has their number. */
  readonly problems: readonly BackupProblem[];
  /** Files or bytes have fallen to half or less of the backup before: nothing is pruned until a person has looked. */
  readonly isShrunk: boolean;
  readonly tags: Readonly<Record<string, string>>;
}

/** Problems that a manifest holds. */
export const MAX_PROBLEMS = 100;

export interface StoredObject {
  readonly key: string;
  /** Bytes as they are stored. */
  readonly size: number;
  /** Of the bytes as they are stored, hex. */
  readonly sha256: string;
}

export interface NeededArchive extends StoredObject {
  readonly version: number;
}

export interface BackupCounts {
  /** Of the whole backup, whichever archive they are in. */
  readonly files: number;
  readonly directories: number;
  readonly symlinks: number;
  readonly bytes: number;
  /** Of its own archive. */
  readonly storedFiles: number;
  readonly storedBytes: number;
  /** Sockets, pipes and devices; and what is isync's own: left out. */
  readonly special: number;
  readonly own: number;
  readonly excluded: number;
  readonly torn: number;
  readonly problems: number;
}

export interface BackupProblem {
  /** For people. Only where the backup is not encrypted, for a path may be a secret. */
  readonly path?: string | undefined;
  readonly code: string;
  readonly message: string;
}

/** What keeps a backup for ever, whatever the rule says: an object of its own. */
export interface Mark {
  /** Of the backup. */
  readonly name: string;
  readonly version: number;
  readonly reason: string;
  readonly markedMs: number;
  /** Who, for people: user and machine. */
  readonly by: string;
}

/** Which machine a job of a store belongs to. Another one may read and restore, and not write, unless it adopts the job. */
export interface JobObject {
  readonly format: typeof MANIFEST_FORMAT;
  readonly job: string;
  /** Random; the state of the job on its machine has the same. */
  readonly jobId: string;
  /** For people. */
  readonly machine: string;
  readonly sinceMs: number;
}

export const NO_COUNTS: BackupCounts = {
  files: 0,
  directories: 0,
  symlinks: 0,
  bytes: 0,
  storedFiles: 0,
  storedBytes: 0,
  special: 0,
  own: 0,
  excluded: 0,
  torn: 0,
  problems: 0,
};
