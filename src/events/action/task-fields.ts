import type { LogFields } from '../../model/log.ts';
import type { Task } from './action.ts';

/** What each line of the log about an event has: `message` is the same from the request to the action. */
export function taskFields({
  messageId,
  attempt,
  event: { bucket, key },
}: Pick<Task, 'messageId' | 'attempt' | 'event'>): LogFields {
  return { message: messageId, attempt, bucket, key };
}
