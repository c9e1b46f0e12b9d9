import { Gauge, type Registry } from 'prom-client';
import type { EventQueue, QueueCounts } from '../../events/queue/event-queue.ts';

/** Keeps in `registry` what is in the queue, asked when somebody reads it. What can't be told then is not shown. */
export function measureQueue(registry: Registry, queue: EventQueue): void {
  const gauge = (name: string, help: string, of: (counts: QueueCounts) => number): void => {
    const shown: Gauge = new Gauge({
      name: `isync_queue_${name}`,
      help,
      registers: [registry],
      collect: async () => {
        shown.reset();
        const counts = await queue.counts().catch(() => undefined);
        if (counts !== undefined) shown.set(of(counts));
      },
    });
  };
  gauge('depth', 'Messages that wait to be delivered', ({ waiting }) => waiting);
  gauge('in_hand', 'Messages delivered and not ended yet', ({ inHand }) => inHand);
  gauge('dead', 'Messages that nobody could work on', ({ dead }) => dead);
  gauge('oldest_seconds', 'Age of the oldest message that is not done', ({ oldestMs }) =>
    oldestMs === undefined ? 0 : Math.max(0, (Date.now() - oldestMs) / 1000),
  );
}
