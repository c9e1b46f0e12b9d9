import type { EventQueue, QueueCounts } from '../../events/queue/event-queue.ts';
import { setAlarm } from '../../observe/status/alarm-table.ts';
import { StandingAlarms } from '../../observe/status/standing-alarms.ts';
import { formatCount } from '../../observe/units.ts';
import { certificateAlarm } from './certificate.ts';
import { eventsBoard, type WatchedEvents } from './events-board.ts';
import type { LookedAtBoard } from './looked-at-board.ts';
import type { WebhookTally } from './webhook-tally.ts';

export interface WatchedWebhook extends WatchedEvents {
  /** Undefined where a queue of somebody else is read. */
  readonly queue: Pick<EventQueue, 'counts'> | undefined;
  /** Undefined where nobody posts to this process. */
  readonly requests: WebhookTally | undefined;
  /** When its certificate ends, in ms since 1970; undefined without one. */
  readonly certificateEndsMs: () => number | undefined;
}

export function webhookBoard(watched: WatchedWebhook): LookedAtBoard {
  const { queue, requests, certificateEndsMs } = watched;
  const { board, look } = eventsBoard('webhook', watched);
  const certificate = new StandingAlarms(board.alarms);
  // Asked between reports: a card can't wait for a broker.
  let counts: QueueCounts | undefined;
  if (requests !== undefined)
    board.add(() => ({
      id: 'requests',
      title: 'Requests',
      facts: [
        { id: 'taken', label: 'Taken', value: requests.taken, unit: 'count' },
        { id: 'refused', label: 'Refused', value: requests.refused, unit: 'count' },
        { id: 'records', label: 'Records made durable', value: requests.records, unit: 'count' },
        { id: 'parked', label: 'Records parked at once', value: requests.parkedRecords, unit: 'count' },
        {
          id: 'certificate_ends',
          label: 'Certificate ends',
          value: certificateEndsMs() ?? null,
          unit: 'time',
        },
      ],
    }));
  if (queue !== undefined)
    board.add(() => ({
      id: 'backlog',
      title: 'Backlog',
      facts: [
        { id: 'waiting', label: 'Messages that wait', value: counts?.waiting ?? null, unit: 'count' },
        { id: 'in_hand', label: 'In hand of any reader', value: counts?.inHand ?? null, unit: 'count' },
        { id: 'dead', label: 'Dead messages', value: counts?.dead ?? null, unit: 'count' },
        { id: 'oldest', label: 'Oldest not done', value: counts?.oldestMs ?? null, unit: 'time' },
      ],
    }));
  return {
    board,
    look: async () => {
      await look();
      const ending = certificateAlarm('the certificate of this webhook', certificateEndsMs());
      certificate.set(ending === undefined ? [] : [ending]);
      counts = await queue?.counts().catch(() => undefined);
      // Dead messages stay where they are while the queue is away, and so does their alarm.
      if (counts === undefined) return;
      const { dead } = counts;
      setAlarm(
        board.alarms,
        'DEAD_LETTERS',
        '',
        dead === 0
          ? undefined
          : `${formatCount(dead, 'message')} could not be worked on and ${dead === 1 ? 'is' : 'are'} kept as dead.`,
      );
    },
  };
}
