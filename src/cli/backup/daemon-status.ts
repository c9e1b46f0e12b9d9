import type { Probe } from '../../backup/check/probe.ts';
import { isStoreUp } from '../../backup/check/store-health.ts';
import type { JobWatch } from '../../backup/daemon/job-watch.ts';
import type { JobStanding } from '../../backup/status/metrics.ts';
import { storesDown } from '../../backup/status/stores-down.ts';
import { backupBoard } from '../status/backup-board.ts';
import { openStatus, type OpenStatus } from '../status/open-status.ts';
import type { JobsWork } from './backup-command.ts';

export interface Watched {
  readonly watches: readonly JobWatch[];
  readonly probe: Probe;
  readonly isStarting: () => boolean;
  readonly configFile: string;
}

/**
 * Shows how the jobs and their stores are. Metrics are kept, and loaded, only where somebody can ask for them.
 *
 * `/healthz` stays 200 while the daemon lives, and only says in its answer how many stores are away: who restarts what is not healthy would
 * kill the runs to the other stores, and mend nothing. That is for `/readyz`, which is 503 while a store can't be used, and says which:
 * there a backup would not be complete now.
 */
export async function openDaemonStatus(
  given: JobsWork,
  { watches, probe, isStarting, configFile }: Watched,
): Promise<OpenStatus> {
  const { jobs, log, signal, config } = given;
  const standings = (): JobStanding[] =>
    watches.flatMap((watch) => {
      try {
        return [watch.standing()];
      } catch (err) {
        log.warn('the state of a job can not be read for its status', { err });
        return [];
      }
    });
  return await openStatus(given, {
    ...backupBoard({
      jobs: jobs.map(({ name }) => name),
      standings,
      stores: () => probe.stores,
      isStarting,
      configFile,
      signal,
    }),
    metrics: config.status === undefined ? undefined : await keepMetrics(standings, probe),
    notReady: () => storesDown(probe.stores),
    // Of bucket and server nothing: this answer needs no token.
    lives: () => {
      const away = probe.stores.filter((store) => !isStoreUp(store)).length;
      return away === 0 ? 'ok' : `ok, but ${away} of ${probe.stores.length} stores can not be used`;
    },
  });
}

async function keepMetrics(standings: () => readonly JobStanding[], probe: Probe) {
  const [{ Registry }, { measureBackups }] = await Promise.all([
    import('prom-client'),
    import('../../backup/status/metrics.ts'),
  ]);
  const registry = new Registry();
  measureBackups(registry, () => ({ nowMs: Date.now(), jobs: standings(), stores: probe.stores }));
  return registry;
}
