import type { WebhookConfig } from '../../config/schemas/webhook.ts';
import { readOwnToken } from '../../config/token-file.ts';
import type { WebhookObserver } from '../../events/http/webhook-observer.ts';
import type { Parking } from '../../events/parking/parking.ts';
import type { EventQueue } from '../../events/queue/event-queue.ts';
import type { EventSource } from '../../events/source/event-source.ts';
import type { ActionMetrics } from '../../events/work/action-metrics.ts';
import type { Running } from '../../events/work/work.ts';
import type { WorkObserver } from '../../events/work/work-observer.ts';
import type { HttpServer } from '../../http/server.ts';
import type { LastingWork } from '../lasting-command.ts';
import { noEvents, noWork } from '../pull/not-ready.ts';

/** The metrics of a webhook. */
export interface WebhookStatus {
  readonly requests: WebhookObserver;
  readonly observer: WorkObserver;
  readonly action: ActionMetrics;
  /** Serves them. */
  serve(): Promise<HttpServer>;
}

interface Watched {
  readonly source: EventSource;
  /** Undefined where a queue of somebody else is read. */
  readonly queue: EventQueue | undefined;
  readonly parking: Parking;
  /** Whether events are taken from others. */
  readonly receives: boolean;
  /** What is being done about events; undefined where nothing has begun. */
  readonly running: () => Running | undefined;
}

/** Loaded only where somebody asks for it: then undefined. */
export async function startMetrics(
  { config, log }: LastingWork<WebhookConfig>,
  { source, queue, parking, receives, running }: Watched,
): Promise<WebhookStatus | undefined> {
  const { status: listen, statusTokenFile } = config;
  if (listen === undefined) return undefined;
  const token = statusTokenFile === undefined ? undefined : readOwnToken(statusTokenFile);
  const [prom, requests, works, actions, queues, { startStatus }] = await Promise.all([
    import('prom-client'),
    import('../../events/http/webhook-metrics.ts'),
    import('../../events/work/work-metrics.ts'),
    import('../../events/work/action-metrics.ts'),
    import('./queue-metrics.ts'),
    import('../status-server.ts'),
  ]);
  const registry = new prom.Registry();
  if (queue !== undefined) queues.measureQueue(registry, queue);
  return {
    requests: new requests.WebhookMetrics(registry),
    observer: new works.WorkMetrics(registry, {
      parked: () => parking.count,
      inHand: () => source.inHand,
      exec: undefined,
    }),
    action: new actions.ActionMetrics(registry),
    serve: () =>
      startStatus({
        listen,
        token,
        metrics: registry,
        // Whoever looks before it sends must go on sending while a target is away: some stores send once.
        ...(receives
          ? { notReady: () => noEvents(source), remark: () => noWork(running()) }
          : { notReady: () => noEvents(source) ?? noWork(running()) }),
        log,
      }),
  };
}
