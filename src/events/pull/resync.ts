import type { Mapping } from '../../config/sync-map.ts';
import { Limiter } from '../../flow/limiter.ts';
import { TaskGroup } from '../../flow/task-group.ts';
import { IsyncError, toIsyncError } from '../../model/isync-error.ts';
import type { Log } from '../../model/log.ts';
import type { MaxDelete } from '../../config/pull-values.ts';
import { isAsWritten } from '../action/local-file.ts';
import type { KeyMap } from '../match/key-map.ts';
import type { TargetPath } from '../match/target-path.ts';
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
  /** The real path of a mapped folder, as the state knows it. */
  readonly rootOf: (mapping: Mapping) => string;
  /** All keys of a bucket that begin with a prefix, in the order of their UTF-8 bytes. */
  readonly list: (bucket: string, prefix: string) => AsyncIterable<ListedKey>;
  /** Whether removals are followed. */
  readonly removes: boolean;
}

export interface ResyncOptions extends CompareOptions {
  readonly records: Records;
  /** Share of the known keys, or their number, that may be removed by one comparison. */
  readonly maxDelete: MaxDelete;
  /** Whether temporary trouble with a key rejects, so that the caller begins again; else its record counts as `later`. */
  readonly isPatient: boolean;
  readonly keyEncoding: KeyEncoding;
  readonly observer: PullObserver;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/**
 * Compares the mapped prefixes with the bucket, and takes each difference down the path of an event. What would be removed is
 * counted before anything is.
 * @returns the verdicts that there were
 * @throws IsyncError of the listing; RESYNC_STOPPED where more would be removed than may be: all else is done then; BUSY,
 * retryable, where a patient one has left keys undone. Nothing is waited for here: what is new may have to wait for a removal
 * that this very comparison is about to find.
 */
export async function resync(options: ResyncOptions): Promise<ReadonlySet<Verdict>> {
  const { observer, signal, log, maxDelete } = options;
  const taken = new Taken(options);
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
      if (goneCount <= most) gone.push(difference);
    }
  }
  const isTooMuch = goneCount > most;
  observer.differences(changedCount + goneCount);
  if (!isTooMuch) for (const difference of gone) await taken.take(difference);
  const verdicts = await taken.all();
  if (isTooMuch && !signal.aborted) throw tooMuch(goneCount, most);
  if (options.isPatient && verdicts.has('later') && !signal.aborted) throw leftUndone();
  log.info('compared with the bucket', { differences: changedCount + goneCount });
  return verdicts;
}

/** Differences on their way. */
class Taken {
  readonly #options: ResyncOptions;
  readonly #places = new Limiter(UNDER_WAY);
  readonly #tasks = new TaskGroup();
  readonly #verdicts = new Set<Verdict>();
  #fault: IsyncError | undefined;

  constructor(options: ResyncOptions) {
    this.#options = options;
  }

  /** Resolves when there is room for another one. */
  async take(difference: Difference): Promise<void> {
    if (this.#options.signal.aborted) return;
    const place = await this.#places.enter();
    this.#tasks.add(this.#settle(difference, place));
  }

  /** Resolves with what they have come to, once all have; rejects where one could not be settled. */
  async all(): Promise<ReadonlySet<Verdict>> {
    await this.#tasks.idle();
    if (this.#fault !== undefined) throw this.#fault;
    return this.#verdicts;
  }

  async #settle(difference: Difference, place: Disposable): Promise<void> {
    const { records, keyEncoding } = this.#options;
    const origin: Origin = { messageId: 'resync', attempt: 1, staysHere: false, hasRedrive: false };
    try {
      this.#verdicts.add(await records.take(recordOf(difference, keyEncoding), origin));
    } catch (error) {
      this.#fault ??= toIsyncError(error, 'INTERNAL');
    } finally {
      place[Symbol.dispose]();
    }
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
  for await (const listed of list(bucket, prefix)) {
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

/** As S3 sorts keys: by their UTF-8 bytes, which differ from UTF-16 beyond U+FFFF. */
function comparesBefore(a: string, b: string): boolean {
  return Buffer.compare(Buffer.from(a), Buffer.from(b)) < 0;
}

function countKnown({ buckets, keys, state }: CompareOptions): number {
  return buckets
    .flatMap((bucket) => keys.prefixes.map((prefix) => state.count(bucket, prefix)))
    .reduce((sum, count) => sum + count, 0);
}

function mostOf(maxDelete: MaxDelete, known: number): number {
  return 'files' in maxDelete ? maxDelete.files : Math.floor((known * maxDelete.percent) / 100);
}

function tooMuch(gone: number, most: number): IsyncError {
  const message = `the bucket lacks ${gone} known keys, and at most ${most} may be removed at a time`;
  return new IsyncError('RESYNC_STOPPED', message, {
    hint: 'Look whether the bucket is the right one, and whole. If so, allow more with "maxDelete", once.',
  });
}

function leftUndone(): IsyncError {
  return new IsyncError('BUSY', 'some keys could not be made what they are in the bucket yet', {
    retryable: true,
    hint: 'The lines before have the reasons; the comparison begins again by itself.',
  });
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
