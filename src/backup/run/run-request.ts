import type { Log } from '../../model/log.ts';
import type { Packer } from '../apart/pack-order.ts';
import type { BackupJob, BackupType } from '../job.ts';
import type { Manifest } from '../manifest/manifest.ts';
import type { PackProgress } from '../pack/pack.ts';
import type { Pruned } from '../prune/pruned.ts';
import type { RunRecord } from '../state/job-state.ts';
import type { BackupTarget } from '../target/target.ts';
import type { JobNotices } from '../tell/job-notices.ts';

/** One run of a job. */
export interface RunRequest {
  readonly job: BackupJob;
  /** Those of the job, in its order. */
  readonly targets: readonly BackupTarget[];
  readonly trigger: RunRecord['trigger'];
  /** What somebody has asked for; undefined: as the job has it. */
  readonly type: BackupType | undefined;
  /** Reads every file again, whatever its times say. */
  readonly isRehash: boolean;
  /** Takes over what another machine has made. */
  readonly isAdopting: boolean;
  /** Waits for another run of the job, where there is one. */
  readonly isWaiting: boolean;
  /** For the manifest: `isync 1.2.3`. */
  readonly madeBy: string;
  readonly notices: Pick<JobNotices, 'started' | 'ended'> | undefined;
  readonly log: Log;
  /** Interrupts it, so that a later one can go on. */
  readonly signal: AbortSignal;
  /** Ends what runs after an interruption: `after` of the job. */
  readonly cut?: AbortSignal | undefined;
  /** How it is packed; undefined: packHere(). */
  readonly packer?: Packer | undefined;
  /** Told now and then of what has been packed; must not throw. */
  readonly onProgress?: ((progress: PackProgress) => void) | undefined;
  /** In ms since the epoch. For tests. */
  readonly now?: (() => number) | undefined;
}

export interface RunResult {
  /** As it ended. */
  readonly run: RunRecord;
  readonly backups: readonly RunBackup[];
  readonly failures: readonly TargetFailure[];
  readonly pruned: readonly Pruned[];
  /** What ended it before it had come to its end. Without it some target may have failed still. */
  readonly error: Error | undefined;
}

/** A backup that is complete at one target at least. */
export interface RunBackup {
  readonly manifest: Manifest;
  /** Why it is a full or an incremental one, for people. */
  readonly reason: string;
  /** Names of those that have it. */
  readonly targets: readonly string[];
}

export interface TargetFailure {
  /** Its name. */
  readonly target: string;
  readonly error: Error;
}
