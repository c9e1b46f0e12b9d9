import type { PullConfig } from '../../config/schemas/pull.ts';
import type { ActionMetrics } from '../../events/work/action-metrics.ts';
import type { EventSource } from '../../events/source/event-source.ts';
import type { Running } from '../../events/work/work.ts';
import { allOf, type WorkObserver } from '../../events/work/work-observer.ts';
import type { WorkTally } from '../../events/work/work-tally.ts';
import type { LastingWork } from '../lasting-command.ts';
import { eventsBoard } from '../status/events-board.ts';
import { openStatus, type OpenStatus } from '../status/open-status.ts';
import { noEvents, noWork } from './not-ready.ts';
import type { PullParts } from './pull-parts.ts';

interface Watched extends Pick<PullParts, 'parking' | 'exec'> {
  readonly source: EventSource;
  readonly tally: WorkTally;
  readonly running: () => Running | undefined;
}

export interface PullStatus extends OpenStatus {
  readonly observer: WorkObserver;
  /** Undefined where nobody asks for metrics. */
  readonly action: ActionMetrics | undefined;
}

/** Shows how a pull is. Metrics are kept, and loaded, only where somebody can ask for them. */
export async function openPullStatus(given: LastingWork<PullConfig>, watched: Watched): Promise<PullStatus> {
  const { source, tally, running } = watched;
  const metrics = given.config.status === undefined ? undefined : await keepMetrics(watched);
  const status = await openStatus(given, {
    ...eventsBoard('pull', { ...watched, signal: given.signal }),
    metrics: metrics?.registry,
    notReady: () => noEvents(source) ?? noWork(running()),
  });
  return {
    ...status,
    observer: metrics === undefined ? tally : allOf(tally, metrics.observer),
    action: metrics?.action,
  };
}

async function keepMetrics({ parking, exec, source }: Watched) {
  const [{ Registry }, { WorkMetrics }, { ActionMetrics: Actions }] = await Promise.all([
    import('prom-client'),
    import('../../events/work/work-metrics.ts'),
    import('../../events/work/action-metrics.ts'),
  ]);
  const registry = new Registry();
  const observer = new WorkMetrics(registry, {
    parked: () => parking.count,
    inHand: () => source.inHand,
    exec: exec && (() => exec.counts),
  });
  return { registry, observer, action: new Actions(registry) };
}
