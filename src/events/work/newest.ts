import { compareSequencers, type ObjectEvent, orderOf } from '../object-event.ts';
import type { Item } from './lanes.ts';

/** The task of the newest event in `group`, which has one at least: by AWS' sequencer, else by time, else the one that came last. */
export function newestOf<Target>(group: readonly Item<Target>[]): Item<Target>['task'] {
  const [first, ...others] = group.map(({ task }) => task);
  if (first === undefined) throw new Error('a group has at least one record');
  return others.reduce((newest, task) => (isOlder(task.event, newest.event) ? newest : task), first);
}

/** Whether `a` tells of something older than `b` does, as far as they tell. */
function isOlder(a: ObjectEvent, b: ObjectEvent): boolean {
  const [left, right] = [orderOf(a), orderOf(b)];
  if (left !== undefined && right !== undefined) return compareSequencers(left, right) < 0;
  return a.timeMs !== undefined && b.timeMs !== undefined && a.timeMs < b.timeMs;
}

/**
 * Tells whether a record says exactly what the first of `group` does: a store that got no answer in time has sent it again.
 * Without a sequencer two that are alike may be two puts of the same bytes; their times tell those apart.
 */
export function isRepeatOf<Target>([first]: readonly Item<Target>[]): (item: Item<Target>) => boolean {
  const said = first === undefined ? undefined : saidBy(first.task.event);
  return ({ task: { event } }) => saidBy(event) === said;
}

function saidBy(event: ObjectEvent): string {
  const { dialect, bucket, key, name, sequencer, etag, versionId, timeMs } = event;
  return JSON.stringify([dialect, bucket, key, name, sequencer, etag, versionId, timeMs]);
}
