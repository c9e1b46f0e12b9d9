import { randomUUID } from 'node:crypto';
import { IsyncError } from '../../model/isync-error.ts';
import type { QueueMessage } from '../queue/event-queue.ts';
import type { RecordTaker } from './records.ts';

/**
 * Puts parked records that are taken again into the queue, for a process that only receives: any worker may have them. What no
 * worker could take stays parked.
 * @param publish resolves when the messages are durable
 * @param buckets whose events are followed; undefined: any
 */
export function queueTaker(
  publish: (messages: readonly QueueMessage[]) => Promise<void>,
  buckets: ReadonlySet<string> | undefined,
): RecordTaker {
  return {
    take: async (record) => {
      if (record.outcome === 'ignored') return 'settled';
      if (record.outcome === 'unparsable' || buckets?.has(record.event.bucket) === false) return 'parked';
      try {
        await publish([{ id: `replay-${randomUUID()}`, body: record.source.body() }]);
        return 'settled';
      } catch (error) {
        if (error instanceof IsyncError && error.retryable) return 'later';
        throw error;
      }
    },
  };
}
