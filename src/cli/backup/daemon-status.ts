import type { Probe } from '../../backup/check/probe.ts';
import { isStoreUp } from '../../backup/check/store-health.ts';
import type { JobWatch } from '../../backup/daemon/job-watch.ts';
import type { JobStanding } from '../../backup/status/metrics.ts';
import { readOwnToken } from '../../config/token-file.ts';
import type { HttpServer } from '../../http/server.ts';
import type { JobsWork } from './backup-command.ts';

export interface Watched {
  readonly watches: readonly JobWatch[];
  readonly probe: Probe;
}

/**
 * Serves how the jobs and their stores are; undefined where nobody asks for it, and nothing of it is loaded.
 *
 * `/healthz` stays 200 while the daemon lives, and only says in its answer how many stores are away: who restarts what is not healthy would
 * kill the runs to the other stores, and mend nothing. That is for `/readyz`, which is 503 while a store can't be used, and says which:
 * there a backup would not be complete now.
 */
export async function serveStatus(
  { config, log }: JobsWork,
  { watches, probe }: Watched,
): Promise<HttpServer | undefined> {
  const { status: listen, statusTokenFile } = config;
  if (listen === undefined) return undefined;
  const token = statusTokenFile === undefined ? undefined : readOwnToken(statusTokenFile);
  const [prom, { measureBackups }, { storesDown }, { startStatus }] = await Promise.all([
    import('prom-client'),
    import('../../backup/status/metrics.ts'),
    import('../../backup/status/stores-down.ts'),
    import('../status-server.ts'),
  ]);
  const metrics = new prom.Registry();
  const standing = (watch: JobWatch): JobStanding[] => {
    try {
      return [watch.standing()];
    } catch (err) {
      log.warn('the state of a job can not be read for its metrics', { err });
      return [];
    }
  };
  measureBackups(metrics, () => ({
    nowMs: Date.now(),
    jobs: watches.flatMap(standing),
    stores: probe.stores,
  }));
  return await startStatus({
    listen,
    token,
    metrics,
    notReady: () => storesDown(probe.stores),
    // Of bucket and server nothing: this answer needs no token.
    lives: () => {
      const away = probe.stores.filter((store) => !isStoreUp(store)).length;
      return away === 0 ? 'ok' : `ok, but ${away} of ${probe.stores.length} stores can not be used`;
    },
    log,
  });
}
