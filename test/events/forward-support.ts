import type { Task } from '../../src/events/action/action.ts';
import type { ObjectEvent } from '../../src/events/object-event.ts';
import { parseMessage } from '../../src/events/parse/parse-message.ts';

export function eventsIn(body: string): ObjectEvent[] {
  return parseMessage(body, { keyEncoding: 'auto' }).flatMap((each) =>
    each.outcome === 'event' ? [each.event] : [],
  );
}

/** The only record of `message`, as it comes to an action. */
export function taskOf(message: string, messageId: string): Task<undefined> {
  const [record] = parseMessage(message, { keyEncoding: 'auto' });
  if (record?.outcome !== 'event') throw new Error('no event');
  const { event, source } = record;
  return { event, target: undefined, messageId, attempt: 1, body: () => source.body(), isLastLook: false };
}
