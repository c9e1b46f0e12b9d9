import type { MirrorConfig } from '../../config/schemas/mirror.ts';
import { readOwnToken } from '../../config/token-file.ts';
import type { HttpServer } from '../../http/server.ts';
import type { Fills } from '../../mirror/fill/fills.ts';
import type { MirrorMetrics } from '../../mirror/serve/mirror-metrics.ts';
import type { LastingWork } from '../lasting-command.ts';

/** The metrics of a mirror. */
export interface MirrorStatus {
  readonly observer: MirrorMetrics;
  /** From now on there are fills to measure. */
  measure(fills: Fills): void;
  serve(notReady: () => string | undefined): Promise<HttpServer>;
}

/** Loaded only where somebody asks for it: else undefined. */
export async function loadMetrics({
  config,
  log,
}: LastingWork<MirrorConfig>): Promise<MirrorStatus | undefined> {
  const { status: listen, statusTokenFile } = config;
  if (listen === undefined) return undefined;
  const token = statusTokenFile === undefined ? undefined : readOwnToken(statusTokenFile);
  const [prom, { MirrorMetrics }, { startStatus }] = await Promise.all([
    import('prom-client'),
    import('../../mirror/serve/mirror-metrics.ts'),
    import('../status-server.ts'),
  ]);
  const registry = new prom.Registry();
  let measured: Fills | undefined;
  return {
    observer: new MirrorMetrics(registry, () => measured?.state),
    measure: (fills) => {
      measured = fills;
    },
    serve: (notReady) => startStatus({ listen, token, metrics: registry, notReady, log }),
  };
}
