import type { EventSource } from '../../events/source/event-source.ts';
import type { Running } from '../../events/work/work.ts';

/** Why events can't be had; undefined where they can. */
export function noEvents({ isReachable }: Pick<EventSource, 'isReachable'>): string | undefined {
  return isReachable ? undefined : 'the queue can not be reached';
}

/** Why nothing can be done about events just now; undefined where something can, or no work has begun. */
export function noWork(running: Running | undefined): string | undefined {
  if (running?.isDiskFull === true) return 'there is no room: what comes can not be written';
  return running?.away === undefined
    ? undefined
    : 'what events are about, or what they go to, is away: the log has which, and it is tried again by itself';
}
