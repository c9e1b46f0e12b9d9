import { keptHealth } from '../../backup/check/health-file.ts';
import { fastestFirst, storeName } from '../../backup/check/store-health.ts';
import type { BackupJob } from '../../backup/job.ts';
import { openTarget } from '../../backup/target/open-target.ts';
import type { BackupTarget } from '../../backup/target/target.ts';

/** The stores of a job, in the order of the config. */
export interface Stores extends AsyncDisposable {
  readonly targets: readonly BackupTarget[];
}

/**
 * Opens the stores of a job, without a look at them. Of several servers of a store, the one comes first that the daemon has found to be the
 * fastest.
 * @throws IsyncError CONFIG_INVALID where a file of certificates can't be read
 */
export async function openStores({ name, to, stateDir }: BackupJob): Promise<Stores> {
  const health = await keptHealth(stateDir);
  const targets = to.map((target) => openTarget(fastestFirst(target, health.get(storeName(target))), name));
  return {
    targets,
    async [Symbol.asyncDispose]() {
      for (const target of targets) await target[Symbol.asyncDispose]();
    },
  };
}
