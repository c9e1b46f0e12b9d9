import type { Log } from '../../model/log.ts';
import type { Encryption } from '../encrypt/encryption.ts';
import type { Manifest } from '../manifest/manifest.ts';
import type { JobState, PackRecord } from '../state/job-state.ts';
import type { RunKeeper } from './run-keeper.ts';
import type { RunBackup, RunRequest, TargetFailure } from './run-request.ts';
import type { Surveyed } from './survey.ts';

/** What the steps of a run share. */
export interface RunContext {
  readonly request: RunRequest;
  readonly state: JobState;
  readonly keeper: RunKeeper;
  readonly encryption: Encryption | undefined;
  /** Those that can be used, by name; as they were found last. */
  readonly surveyed: Map<string, Surveyed>;
  readonly failures: Map<string, TargetFailure>;
  readonly backups: RunBackup[];
  /** Says which run it is. */
  readonly log: Log;
  readonly signal: AbortSignal;
  readonly now: () => number;
}

/** An archive that is to be made, or gone on with. */
export interface ArchiveWork {
  readonly pack: PackRecord;
  readonly base: Manifest | undefined;
  readonly reason: string;
  /** Names of the targets that it goes to now. */
  readonly targets: readonly string[];
}

/** The targets of those names that can be used. */
export function usable({ surveyed }: RunContext, names: readonly string[]): readonly Surveyed[] {
  return names.map((name) => surveyed.get(name)).filter((found) => found !== undefined);
}

/** The next version: above all that a target has. */
export function takeVersion({ state, surveyed }: Pick<RunContext, 'state' | 'surveyed'>): number {
  return state.takeVersion(Math.max(0, ...[...surveyed.values()].map(({ highest }) => highest)));
}

/** A target has failed for this run; the first error of each is told. */
export function fail({ failures, log }: RunContext, target: string, error: Error): void {
  if (failures.has(target)) return;
  failures.set(target, { target, error });
  log.error('the backup is not complete at a target', { target, err: error });
}
