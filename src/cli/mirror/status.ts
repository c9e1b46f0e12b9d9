import type { MirrorConfig } from '../../config/schemas/mirror.ts';
import type { Fills } from '../../mirror/fill/fills.ts';
import type { Readiness } from '../../mirror/serve/readiness.ts';
import type { LastingWork } from '../lasting-command.ts';
import { mirrorBoard } from '../status/mirror-board.ts';
import { MirrorTally } from '../status/mirror-tally.ts';
import { openStatus, type OpenStatus } from '../status/open-status.ts';

/** How a mirror can be seen. */
export interface MirrorStatus {
  readonly observer: MirrorTally;
  open(parts: {
    readonly fills: Fills;
    readonly readiness: Readiness;
    readonly bucket: string;
  }): Promise<OpenStatus>;
}

/** Metrics are kept, and loaded, only where somebody can ask for them. */
export async function mirrorStatus(given: LastingWork<MirrorConfig>): Promise<MirrorStatus> {
  let measured: Fills | undefined;
  const metrics = given.config.status === undefined ? undefined : await keepMetrics(() => measured?.state);
  const tally = new MirrorTally(metrics?.observer);
  return {
    observer: tally,
    open: async ({ fills, readiness, bucket }) => {
      measured = fills;
      return await openStatus(given, {
        ...mirrorBoard({
          bucket,
          state: () => fills.state,
          tally,
          check: () => readiness.check(),
          signal: given.signal,
        }),
        metrics: metrics?.registry,
        notReady: () => readiness.reason,
      });
    },
  };
}

async function keepMetrics(state: () => Fills['state'] | undefined) {
  const [{ Registry }, { MirrorMetrics }] = await Promise.all([
    import('prom-client'),
    import('../../mirror/serve/mirror-metrics.ts'),
  ]);
  const registry = new Registry();
  return { registry, observer: new MirrorMetrics(registry, state) };
}
