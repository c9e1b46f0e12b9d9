import type { Bandwidth } from '../flow/bandwidth.ts';
import type { NotifyRule } from '../notices/rule.ts';

/** A job as the config tells it, secrets revealed. Paths are absolute, times milliseconds, sizes bytes. */
export interface BackupJob {
  /** `{system}` in names, and the folder of its backups in every store: one safe path segment. */
  readonly name: string;
  /** One at least; none lies within another, and no two have the same place in the archive. */
  readonly sources: readonly BackupSource[];
  /** Undefined: it runs only when it is told to. */
  readonly schedule: JobSchedule | undefined;
  /** IANA name: for the schedule, `{localtime}`, and the days of the rule. */
  readonly timezone: string;
  /** A full backup when the last one is this old; undefined: always. */
  readonly fullEveryMs: number | undefined;
  /** One at least, each another place. */
  readonly to: readonly JobTarget[];
  readonly compress: Compression;
  /** Whom backups are encrypted to (`age1…`); empty: not encrypted. */
  readonly recipients: readonly string[];
  /** File with the private key, where this machine may read backups. */
  readonly identityFile: string | undefined;
  /** Undefined: nothing is ever removed. */
  readonly keep: KeepRule | undefined;
  /** Metadata of every backup, and tags of its archive where the store has some. */
  readonly tags: Readonly<Record<string, string>>;
  readonly verify: JobVerification | undefined;
  readonly notify: readonly NotifyRule[];
  /** Program and arguments. Where it fails, the run fails. */
  readonly before: readonly string[] | undefined;
  /** The same, after every run, however it ended. */
  readonly after: readonly string[] | undefined;
  /** Of all targets together. */
  readonly bwlimit: Bandwidth | undefined;
  /** A scheduled run begins up to this much later. */
  readonly jitterMs: number;
  /** The newest complete backup is overdue when it is older. */
  readonly maxAgeMs: number | undefined;
  /** Folder of this job alone. */
  readonly stateDir: string;
  /** Bytes of parts on the disk that not all targets have acknowledged. */
  readonly spoolBytes: number;
  /** Of names, without what compression and encryption add: `{system}_{type}_{timestamp}_{version}`. */
  readonly nameTemplate: string;
}

export type Compression = 'zstd' | 'gzip' | 'none';
export type BackupType = 'full' | 'incremental';

export type BackupSource =
  | {
      readonly kind: 'folder';
      /** A folder, or one file. In the archive it has the same path without the first "/". */
      readonly path: string;
      /** Whether something is left out, by its path below `path`; directories have no "/" at their end. */
      readonly excludes: (path: string) => boolean;
      /** What is mounted below is left out. */
      readonly oneFilesystem: boolean;
      /** Whether it may be empty; else that is a disk that is not mounted, and fails the run. */
      readonly allowEmpty: boolean;
    }
  | {
      readonly kind: 'command';
      /** Program and arguments, no shell. */
      readonly command: readonly string[];
      /** Path in the archive of what it prints. */
      readonly as: string;
      readonly allowEmpty: boolean;
    };

export type JobSchedule =
  /** 5 or 6 fields, as croner reads them. */
  { readonly kind: 'cron'; readonly pattern: string } | { readonly kind: 'every'; readonly everyMs: number };

export type JobTarget =
  | { readonly kind: 'folder'; readonly path: string }
  | {
      readonly kind: 's3';
      readonly bucket: string;
      /** Without "/" at either end; '' for the whole bucket. */
      readonly prefix: string;
      /** Servers of the one bucket, the preferred first; empty: that of AWS. */
      readonly endpoints: readonly string[];
      readonly region: string | undefined;
      readonly pathStyle: boolean | undefined;
      readonly profile: string | undefined;
      readonly credentials: TargetCredentials | undefined;
      /** File with authorities to trust there. */
      readonly ca: string | undefined;
      /** Of archives only. */
      readonly storageClass: string | undefined;
      readonly sse: 'AES256' | 'aws:kms' | undefined;
      readonly sseKmsKeyId: string | undefined;
      readonly lock: ObjectLock | undefined;
    };

export interface TargetCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string | undefined;
}

export interface ObjectLock {
  readonly mode: 'governance' | 'compliance';
  readonly days: number;
}

/** What is kept; each field that is there keeps on its own. Counts are whole numbers from 1 up. */
export interface KeepRule {
  readonly last?: number | undefined;
  readonly hourly?: number | undefined;
  readonly daily?: number | undefined;
  readonly weekly?: number | undefined;
  readonly monthly?: number | undefined;
  readonly yearly?: number | undefined;
  /** All that are younger than this many days, counted back from the newest complete backup. */
  readonly days?: number | undefined;
  /** Complete backups there must be in the end, the newest ones. */
  readonly min: number;
}

export interface JobVerification {
  readonly schedule: JobSchedule | undefined;
  /** Bytes read each time: what was longest not read. Undefined: manifests, chains and sizes only. */
  readonly sampleBytes: number | undefined;
}
