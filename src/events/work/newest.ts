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
 * Returns those of `waiting` that say exactly what the first of `group` does: a store that got no answer in time has sent it again.
 * Two that are alike, without sequencer and time, may be two puts of the same bytes: none is taken for a repeat of one that
 * another record came after.
 */
export function repeatsOf<Target>(
  [first]: readonly Item<Target>[],
  waiting: readonly Item<Target>[],
): readonly Item<Target>[] {
  if (first === undefined) return [];
  const said = saidBy(first.task.event);
  const isRepeat = ({ task }: Item<Target>): boolean => saidBy(task.event) === said;
  const { sequencer, timeMs } = first.task.event;
  if (sequencer !== undefined || timeMs !== undefined) return waiting.filter(isRepeat);
  const end = waiting.findIndex((item) => !isRepeat(item));
  return end === -1 ? waiting : waiting.slice(0, end);
}

function saidBy(event: ObjectEvent): string {
  const { dialect, bucket, key, name, sequencer, etag, versionId, timeMs } = event;
  return JSON.stringify([dialect, bucket, key, name, sequencer, etag, versionId, timeMs]);
}
