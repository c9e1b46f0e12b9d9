import { lstatSync } from 'node:fs';
import { join } from 'node:path';
import { Wakeup } from '../../flow/wake-up.ts';
import { toMicroseconds } from '../../model/file-entry.ts';
import { errnoOf, IsyncError } from '../../model/isync-error.ts';
import type { Log } from '../../model/log.ts';
import type { KeyMap } from '../match/key-map.ts';
import type { ObjectEvent } from '../object-event.ts';
import type { KnownObject, PullState } from '../state/pull-state.ts';
import type { KeyEncoding, ParsedRecord } from '../parse/parsed.ts';
import type { PullObserver } from './pull-observer.ts';
import type { Origin, Records, Verdict } from './records.ts';

/** Differences given to the lanes and not settled yet: enough to keep them busy, some 1 KiB each. */
const UNDER_WAY = 1_000;
/** Name of the events that stand for a difference. */
const NAME = 'Resync';

/** What a bucket has under a key, as its listing tells. */
export interface ListedKey {
  readonly key: string;
  readonly size: number;
  /** Without quotes. */
  readonly etag: string;
}

export interface Difference {
  readonly kind: ObjectEvent['kind'];
  readonly bucket: string;
  readonly key: string;
}

export interface CompareOptions {
  readonly buckets: readonly string[];
  readonly keys: KeyMap;
  readonly state: PullState;
  /** All keys of a bucket that begin with a prefix, in the order of their UTF-8 bytes. */
  readonly list: (bucket: string, prefix: string) => AsyncIterable<ListedKey>;
  /** Whether removals are followed. */
  readonly removes: boolean;
}

export interface ResyncOptions extends CompareOptions {
  readonly records: Records;
  /** Share of the known keys, or their number, that may be removed by one comparison. */
  readonly maxDelete: MaxDelete;
  /** Whether temporary trouble is waited out, for as long as it takes; else the record counts as `later`. */
  readonly isPatient: boolean;
  readonly keyEncoding: KeyEncoding;
  readonly observer: PullObserver;
  readonly log: Log;
  readonly signal: AbortSignal;
}

export type MaxDelete = { readonly percent: number } | { readonly count: number };

/**
 * Compares the mapped prefixes with the bucket, and takes each difference down the path of an event. What would be removed is
 * counted before anything is.
 * @returns the verdicts that there were
 * @throws IsyncError of the listing; RESYNC_STOPPED where more would be removed than may be: all else is done then
 */
export async function resync(options: ResyncOptions): Promise<ReadonlySet<Verdict>> {
  const { records, observer, signal, log, state, keys, buckets, maxDelete, isPatient, keyEncoding } = options;
  const origin: Origin = { messageId: 'resync', attempt: 1, staysHere: isPatient, hasRedrive: false };
  const verdicts = new Set<Verdict>();
  const faults: unknown[] = [];
  const settled = new Wakeup();
  let underWay = 0;
  let found = 0;
  const take = async (difference: Difference): Promise<void> => {
    while (underWay >= UNDER_WAY && !signal.aborted) await settled.sleep(Infinity, signal);
    if (signal.aborted) return;
    underWay += 1;
    found += 1;
    void records
      .take(recordOf(difference, keyEncoding), origin)
      .then(
        (verdict) => verdicts.add(verdict),
        (error: unknown) => faults.push(error),
      )
      .finally(() => {
        underWay -= 1;
        settled.wake();
      });
  };
  const known = buckets.flatMap((bucket) => keys.prefixes.map((prefix) => state.count(bucket, prefix)));
  const most = mostOf(maxDelete, known.reduce((sum, count) => sum + count, 0));
  const gone: Difference[] = [];
  let goneCount = 0;
  for await (const difference of differences(options)) {
    if (signal.aborted) break;
    if (difference.kind === 'created') await take(difference);
    else {
      goneCount += 1;
      if (goneCount <= most) gone.push(difference);
    }
  }
  const isTooMuch = goneCount > most;
  observer.differences(found + goneCount);
  if (!isTooMuch) for (const difference of gone) await take(difference);
  while (underWay > 0) await settled.sleep(Infinity, new AbortController().signal);
  if (faults.length > 0) throw faults[0];
  if (isTooMuch && !signal.aborted)
    throw new IsyncError('RESYNC_STOPPED', `the bucket lacks ${goneCount} known keys, and at most ${most} may be removed at a time`, {
      hint: 'Look whether the bucket is the right one, and whole. If so, allow more with "maxDelete", once.',
    });
  log.info('compared with the bucket', { differences: found });
  return verdicts;
}

/** Every key that the bucket and what is here do not agree about. Reads only. */
export async function* differences(options: CompareOptions): AsyncGenerator<Difference> {
  const { buckets, keys } = options;
  for (const bucket of buckets) for (const prefix of keys.prefixes) yield* differencesBelow(bucket, prefix, options);
}

/** Walks two sorted listings side by side. */
async function* differencesBelow(
  bucket: string,
  prefix: string,
  { keys, state, list, removes }: CompareOptions,
): AsyncGenerator<Difference> {
  const known = state.list(bucket, prefix)[Symbol.iterator]();
  let next = known.next();
  const gone = (object: KnownObject): Difference => ({ kind: 'removed', bucket, key: object.key });
  for await (const listed of list(bucket, prefix)) {
    for (; next.done !== true && comparesBefore(next.value.key, listed.key); next = known.next())
      if (removes) yield gone(next.value);
    const has = next.done !== true && next.value.key === listed.key ? next.value : undefined;
    if (has !== undefined) next = known.next();
    const target = keys.targetOf(listed.key);
    if (target.kind !== 'root' && !isAsListed(has, listed)) yield { kind: 'created', bucket, key: listed.key };
  }
  for (; next.done !== true; next = known.next()) if (removes) yield gone(next.value);
}

/** Whether what is here is what was written for just that version of the object. */
function isAsListed(known: KnownObject | undefined, { etag, size }: ListedKey): boolean {
  if (known === undefined || known.etag !== etag) return false;
  const found = lookAt(join(known.folder, known.path));
  if (known.kind === 'folder') return found?.isDirectory() === true;
  if (known.size !== size || found?.isFile() !== true) return false;
  return found.size === known.size && Math.abs(toMicroseconds(found.mtimeMs) - known.mtimeUs) <= 1;
}

function lookAt(path: string) {
  try {
    return lstatSync(path, { throwIfNoEntry: false });
  } catch (error) {
    // A file where a folder was, a folder that is closed to us: whoever mends the difference tells.
    if (errnoOf(error) !== undefined) return undefined;
    throw error;
  }
}

/** As S3 sorts keys: by their UTF-8 bytes, which differ from UTF-16 beyond U+FFFF. */
function comparesBefore(a: string, b: string): boolean {
  return Buffer.compare(Buffer.from(a), Buffer.from(b)) < 0;
}

function mostOf(maxDelete: MaxDelete, known: number): number {
  return 'count' in maxDelete ? maxDelete.count : Math.floor((known * maxDelete.percent) / 100);
}

/** A difference in the clothes of an event, so that it can be parked and taken again like one. */
function recordOf({ kind, bucket, key }: Difference, keyEncoding: KeyEncoding): ParsedRecord {
  const event: ObjectEvent = {
    kind,
    dialect: 'aws',
    name: NAME,
    bucket,
    region: undefined,
    key,
    size: undefined,
    etag: undefined,
    versionId: undefined,
    sequencer: undefined,
    timeMs: undefined,
  };
  const name = kind === 'created' ? 'ObjectCreated:Put' : 'ObjectRemoved:Delete';
  const body = (): string =>
    JSON.stringify({
      Records: [
        {
          eventVersion: '2.1',
          eventSource: 'aws:s3',
          eventName: name,
          s3: { bucket: { name: bucket }, object: { key: keyEncoding === 'raw' ? key : formEncoded(key) } },
        },
      ],
    });
  return { outcome: 'event', event, source: { body } };
}

function formEncoded(key: string): string {
  return encodeURIComponent(key).replaceAll('%20', '+');
}
