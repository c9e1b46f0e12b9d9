import { type Catalogue, readCatalogue } from '../../backup/catalogue/catalogue.ts';
import type { BackupJob } from '../../backup/job.ts';
import type { JobState } from '../../backup/state/job-state.ts';
import type { BackupTarget } from '../../backup/target/target.ts';
import { IsyncError } from '../../model/isync-error.ts';
import type { Log } from '../../model/log.ts';

/** How long a store may fail until the command goes on without it, in ms: somebody waits. */
const GIVE_UP_MS = 30_000;

/** A store, and what it has; or why that can't be told. */
export type Look =
  | { readonly target: BackupTarget; readonly catalogue: Catalogue }
  | { readonly target: BackupTarget; readonly error: IsyncError };

export interface LookOptions {
  /** Undefined where this machine has none of the job. */
  readonly state: Pick<JobState, 'targets'> | undefined;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/** Reads what each of the stores has, all at a time. Rejects with the reason of the signal, and for faults of our own. */
export async function lookAt(
  targets: readonly BackupTarget[],
  { state, log, signal }: LookOptions,
): Promise<readonly Look[]> {
  return await Promise.all(
    targets.map(async (target): Promise<Look> => {
      const options = {
        cache: state?.targets,
        log: log.with({ target: target.name }),
        signal,
        giveUpAfterMs: GIVE_UP_MS,
      };
      try {
        return { target, catalogue: await readCatalogue(target, options) };
      } catch (error) {
        if (signal.aborted || !(error instanceof IsyncError)) throw error;
        return { target, error };
      }
    }),
  );
}

/** Those that are meant: the one of that name, or all. @throws IsyncError USAGE */
export function storesNamed(
  targets: readonly BackupTarget[],
  name: string | undefined,
  job: Pick<BackupJob, 'name'>,
): readonly BackupTarget[] {
  if (name === undefined) return targets;
  const found = targets.filter((target) => target.name === name.replace(/(?<=.)\/+$/, ''));
  if (found.length > 0) return found;
  throw new IsyncError('USAGE', `job ${job.name} has no target ${name}`, {
    hint: `It has ${targets.map((target) => target.name).join(', ')}.`,
  });
}
