import type { Mapping } from '../../config/sync-map.ts';
import { IsyncError } from '../../model/isync-error.ts';
import type { Log } from '../../model/log.ts';
import type { MaxDelete } from '../../config/pull-values.ts';
import { MOST_GONE, mostOf, tooMuch } from '../compare/max-delete.ts';
import { comparesBefore, inOrder } from '../../s3/sorted-keys.ts';
import { isAsWritten } from '../action/download/local-file.ts';
import type { KeyMap } from '../match/key-map.ts';
import type { TargetPath } from '../match/target-path.ts';
import type { KnownObject, PullState } from '../state/pull-state.ts';
import type { WorkObserver } from '../work/work-observer.ts';
import type { Verdict } from '../work/records.ts';
import type { Difference } from '../compare/difference-message.ts';
import { Taken, type TakenOptions } from './taken.ts';

/** What a bucket has under a key, as its listing tells. */
export interface ListedKey {
  readonly key: string;
  readonly size: number;
  /** Without quotes. */
  readonly etag: string;
}

export interface CompareOptions {
  readonly buckets: readonly string[];
  readonly keys: KeyMap;
  readonly state: PullState;
  /** The real path of a mapped folder, as the state knows it. */
  readonly rootOf: (mapping: Mapping) => string;
  /** All keys of a bucket that begin with a prefix, in the order of their UTF-8 bytes. */
  readonly list: (bucket: string, prefix: string) => AsyncIterable<ListedKey>;
  /** Whether removals are followed. */
  readonly removes: boolean;
}

export interface ResyncOptions extends CompareOptions, TakenOptions {
  /** Share of the known keys, or their number, that may be removed by one comparison. */
  readonly maxDelete: MaxDelete;
  /** Default {@link MOST_GONE}. */
  readonly mostGone?: number | undefined;
  readonly observer: WorkObserver;
  readonly log: Log;
}

/**
 * Compares the mapped prefixes with the bucket, and takes each difference down the path of an event. What would be removed is
 * counted before anything is. Keys that temporary trouble leaves undone are taken again alone. None of them is waited for before
 * all have been taken: what is new may have to wait for a removal that this very comparison is about to find.
 * @returns the verdicts that there were; `later` where keys are left undone
 * @throws IsyncError of the listing; RESYNC_STOPPED where more would be removed than may be: all else is done then; BUSY,
 * retryable, where too many keys are left undone to be taken again. Nothing that was taken is under way any more by then.
 */
export async function resync(options: ResyncOptions): Promise<ReadonlySet<Verdict>> {
  const taken = new Taken(options);
  try {
    return await compare(options, taken);
  } finally {
    // What these work with may be closed next.
    await taken.idle();
  }
}

async function compare(options: ResyncOptions, taken: Taken): Promise<ReadonlySet<Verdict>> {
  const { observer, signal, log, maxDelete, mostGone = MOST_GONE } = options;
  const most = mostOf(maxDelete, countKnown(options));
  const gone: Difference[] = [];
  let goneCount = 0;
  let changedCount = 0;
  for await (const difference of differences(options)) {
    if (signal.aborted) break;
    if (difference.kind === 'created') {
      changedCount += 1;
      await taken.take(difference);
    } else {
      goneCount += 1;
      if (goneCount <= Math.min(most, mostGone)) gone.push(difference);
    }
  }
  observer.differences(changedCount + goneCount);
  const isTooMuch = goneCount > most && !signal.aborted;
  if (isTooMuch) log.warn('nothing is removed: the bucket lacks too many keys', { keys: goneCount, most });
  else if (!signal.aborted)
    for await (const difference of goneCount > mostGone ? goneAgain(options, most) : gone)
      await taken.take(difference);
  const verdicts = await taken.all();
  if (isTooMuch) throw tooMuch(goneCount, most);
  const fields = { differences: changedCount + goneCount };
  if (verdicts.has('later')) log.warn('compared with the bucket; some keys are left undone', fields);
  else log.info('compared with the bucket', fields);
  return verdicts;
}

/** The removals, by another walk: there are more of them than are kept. No more than may be, should that have changed. */
async function* goneAgain(options: ResyncOptions, most: number): AsyncGenerator<Difference> {
  let count = 0;
  for await (const difference of differences(options)) {
    if (options.signal.aborted) return;
    if (difference.kind !== 'removed') continue;
    count += 1;
    if (count > most) throw tooMuch(count, most);
    yield difference;
  }
}

/** Every key that the bucket and what is here do not agree about. Reads only. */
export async function* differences(options: CompareOptions): AsyncGenerator<Difference> {
  const { buckets, keys } = options;
  for (const bucket of buckets)
    for (const prefix of keys.prefixes) yield* differencesBelow(bucket, prefix, options);
}

/** Walks two sorted listings side by side. */
async function* differencesBelow(
  bucket: string,
  prefix: string,
  options: CompareOptions,
): AsyncGenerator<Difference> {
  const { keys, state, list, removes } = options;
  const known = state.list(bucket, prefix)[Symbol.iterator]();
  let next = known.next();
  const gone = (object: KnownObject): Difference => ({ kind: 'removed', bucket, key: object.key });
  for await (const listed of inOrder(list(bucket, prefix), bucket, prefix)) {
    for (; next.done !== true && comparesBefore(next.value.key, listed.key); next = known.next())
      if (removes) yield gone(next.value);
    const has = next.done !== true && next.value.key === listed.key ? next.value : undefined;
    if (has !== undefined) next = known.next();
    const target = keys.targetOf(listed.key);
    if (target.kind !== 'root' && !isAsListed(has, listed, target, options))
      yield { kind: 'created', bucket, key: listed.key };
  }
  for (; next.done !== true; next = known.next()) if (removes) yield gone(next.value);
}

/** Whether what is here is what was written for just that version of the object, where the key belongs by now. */
function isAsListed(
  known: KnownObject | undefined,
  { etag, size }: ListedKey,
  target: TargetPath,
  { rootOf }: CompareOptions,
): boolean {
  if (known === undefined || known.etag !== etag || (known.kind === 'file' && known.size !== size))
    return false;
  if (!('path' in target) || known.path !== target.path || known.folder !== rootOf(target.mapping))
    return false;
  try {
    return isAsWritten(known);
  } catch (error) {
    // A folder that is closed to us: whoever mends the difference tells.
    if (error instanceof IsyncError) return false;
    throw error;
  }
}

function countKnown({ buckets, keys, state }: CompareOptions): number {
  return buckets
    .flatMap((bucket) => keys.prefixes.map((prefix) => state.count(bucket, prefix)))
    .reduce((sum, count) => sum + count, 0);
}
