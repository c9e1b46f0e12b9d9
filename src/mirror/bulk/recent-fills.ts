import { Limiter } from '../../flow/limiter.ts';
import { TaskGroup } from '../../flow/task-group.ts';
import { listObjects } from '../../s3/objects.ts';
import type { Bucket } from '../../s3/requests.ts';
import { PROBE_KEY } from '../kept/conditions.ts';
import { FILLED_BY } from '../kept/origin-metadata.ts';
import type { ByPrefix } from './by-prefix.ts';
import { lookKept } from './look-kept.ts';

/** Objects asked about at a time: a bucket takes more, and this process little more. */
const AT_ONCE = 32;

export interface RecentFillsOptions {
  readonly bucket: Bucket;
  readonly prefix: string;
  /** Since the epoch. */
  readonly sinceMs: number;
  readonly signal: AbortSignal;
  readonly byPrefix: ByPrefix;
  /** Is told how many objects have been listed. */
  readonly onListed: (objects: number) => void;
}

export interface RecentFills {
  /** Objects in the bucket. */
  readonly objects: number;
  /** Of those put in the time: filled by a request, by `fill`, put by somebody else. */
  readonly byRequest: number;
  readonly byFill: number;
  readonly byOthers: number;
}

/** Finds what requests have filled since then. Only metadata tells, so each object that was put since then is asked for it. */
export async function recentFills(options: RecentFillsOptions): Promise<RecentFills> {
  const { bucket, prefix, sinceMs, signal, byPrefix, onListed } = options;
  const counts = { objects: 0, byRequest: 0, byFill: 0, byOthers: 0 };
  const places = new Limiter(AT_ONCE);
  const tasks = new TaskGroup();
  const failed = new AbortController();
  const either = AbortSignal.any([signal, failed.signal]);

  const look = async (key: string, modifiedMs: number): Promise<void> => {
    const kept = await lookKept(options, key, either);
    if (kept === undefined) return;
    const filledBy = kept.metadata[FILLED_BY];
    if (filledBy === 'fill') counts.byFill += 1;
    else if (filledBy !== 'request') counts.byOthers += 1;
    else {
      counts.byRequest += 1;
      const counted = byPrefix.of(key, modifiedMs);
      counted.filled += 1;
      counted.filledBytes += kept.size;
    }
  };

  try {
    for await (const { key, modifiedMs } of listObjects(bucket, prefix, { signal: either })) {
      if (key === prefix + PROBE_KEY) continue;
      counts.objects += 1;
      onListed(counts.objects);
      if (modifiedMs < sinceMs) continue;
      const place = await places.enter();
      const task = look(key.slice(prefix.length), modifiedMs);
      tasks.add(task.catch((error: unknown) => failed.abort(error)).finally(() => place[Symbol.dispose]()));
    }
  } finally {
    await tasks.idle();
  }
  either.throwIfAborted();
  return counts;
}
