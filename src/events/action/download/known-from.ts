import { compareSequencers, isAfter, type ObjectEvent, orderOf } from '../../object-event.ts';
import type { KnownObject } from '../../state/pull-state.ts';
import type { MappedFolder } from './mapped-folders.ts';
import type { Task } from './task.ts';

/**
 * What the state is to know of an object that is here now.
 * @param modifiedMs when the object was put, where its answer told: removals before that are older, whatever the event says
 */
export function knownFrom(
  { event, path, kind }: Task,
  { root }: MappedFolder,
  version: Pick<KnownObject, 'etag' | 'versionId' | 'size' | 'mtimeUs'>,
  modifiedMs?: number,
): KnownObject {
  const { bucket, key } = event;
  const { sequencer, timeMs } = orderSoFar(event);
  return {
    bucket,
    key,
    kind,
    folder: root,
    path,
    ...version,
    sequencer,
    timeMs:
      timeMs === undefined && modifiedMs === undefined ? undefined : Math.max(timeMs ?? 0, modifiedMs ?? 0),
  };
}

/** `known` with the time of a later event of the same version; undefined where the event is not later. */
export function laterKnown(known: KnownObject, event: ObjectEvent): KnownObject | undefined {
  const { sequencer, timeMs } = orderSoFar(event);
  const isLater =
    later(sequencer, known.sequencer, compareSequencers) || later(timeMs, known.timeMs, (a, b) => a - b);
  if (!isLater) return undefined;
  return {
    ...known,
    sequencer: later(sequencer, known.sequencer, compareSequencers) ? sequencer : known.sequencer,
    timeMs: later(timeMs, known.timeMs, (a, b) => a - b) ? timeMs : known.timeMs,
  };
}

/** What an event says of its place among others. The object was put before we looked, so nothing that says more is remembered. */
function orderSoFar(event: ObjectEvent, nowMs = Date.now()): Pick<KnownObject, 'sequencer' | 'timeMs'> {
  const sequencer = orderOf(event);
  return {
    sequencer: sequencer !== undefined && isAfter(sequencer, nowMs) ? undefined : sequencer,
    timeMs: event.timeMs === undefined ? undefined : Math.min(event.timeMs, nowMs),
  };
}

/** Whether an event is certainly not older than what is here. Where nothing can be compared it is not. */
export function isNotOlder(event: ObjectEvent, known: KnownObject): boolean {
  const sequencer = orderOf(event);
  if (sequencer !== undefined && known.sequencer !== undefined)
    return compareSequencers(sequencer, known.sequencer) >= 0;
  return event.timeMs !== undefined && known.timeMs !== undefined && event.timeMs >= known.timeMs;
}

function later<T>(a: T | undefined, b: T | undefined, compare: (a: T, b: T) => number): boolean {
  return a !== undefined && (b === undefined || compare(a, b) > 0);
}
