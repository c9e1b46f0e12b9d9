import type { WebhookConfig } from '../../config/schemas/webhook.ts';
import type { WebhookObserver } from '../../events/http/webhook-observer.ts';
import type { Parking } from '../../events/parking/parking.ts';
import type { EventQueue } from '../../events/queue/event-queue.ts';
import type { EventSource } from '../../events/source/event-source.ts';
import type { ActionMetrics } from '../../events/work/action-metrics.ts';
import type { Running } from '../../events/work/work.ts';
import { allOf, type WorkObserver } from '../../events/work/work-observer.ts';
import type { WorkTally } from '../../events/work/work-tally.ts';
import type { LastingWork } from '../lasting-command.ts';
import { noEvents, noWork } from '../pull/not-ready.ts';
import { openStatus, type OpenStatus } from '../status/open-status.ts';
import { webhookBoard } from '../status/webhook-board.ts';
import { WebhookTally } from '../status/webhook-tally.ts';

/** How a webhook can be seen. */
export interface WebhookStatus {
  readonly requests: WebhookObserver;
  readonly observer: WorkObserver;
  /** Undefined where nobody asks for metrics. */
  readonly action: ActionMetrics | undefined;
  open(): Promise<OpenStatus>;
}

interface Watched {
  readonly source: EventSource;
  /** Undefined where a queue of somebody else is read. */
  readonly queue: EventQueue | undefined;
  readonly parking: Parking;
  readonly tally: WorkTally;
  /** Whether events are worked on here. */
  readonly works: boolean;
  /** Whether events are taken from others. */
  readonly receives: boolean;
  /** What is being done about events; undefined where nothing has begun. */
  readonly running: () => Running | undefined;
  /** When our certificate ends, in ms since 1970; undefined without one. */
  readonly certificateEndsMs: () => number | undefined;
}

/** Metrics are kept, and loaded, only where somebody can ask for them. */
export async function webhookStatus(
  given: LastingWork<WebhookConfig>,
  watched: Watched,
): Promise<WebhookStatus> {
  const { source, tally, works, receives, running } = watched;
  const metrics = given.config.status === undefined ? undefined : await keepMetrics(watched);
  const requests = new WebhookTally(metrics?.requests);
  return {
    requests,
    observer: metrics === undefined ? tally : allOf(tally, metrics.observer),
    action: metrics?.action,
    open: () =>
      openStatus(given, {
        ...webhookBoard({
          ...watched,
          tally: works ? tally : undefined,
          requests: receives ? requests : undefined,
          signal: given.signal,
        }),
        metrics: metrics?.registry,
        // Whoever looks before it sends must go on sending while a target is away: some stores send once.
        ...(receives
          ? { notReady: () => noEvents(source), remark: () => noWork(running()) }
          : { notReady: () => noEvents(source) ?? noWork(running()) }),
      }),
  };
}

async function keepMetrics({ source, queue, parking }: Watched) {
  const [prom, requests, works, actions, queues] = await Promise.all([
    import('prom-client'),
    import('../../events/http/webhook-metrics.ts'),
    import('../../events/work/work-metrics.ts'),
    import('../../events/work/action-metrics.ts'),
    import('./queue-metrics.ts'),
  ]);
  const registry = new prom.Registry();
  if (queue !== undefined) queues.measureQueue(registry, queue);
  return {
    registry,
    requests: new requests.WebhookMetrics(registry),
    observer: new works.WorkMetrics(registry, {
      parked: () => parking.count,
      inHand: () => source.inHand,
      exec: undefined,
    }),
    action: new actions.ActionMetrics(registry),
  };
}
