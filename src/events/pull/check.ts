import { randomBytes } from 'node:crypto';
import type { Abortable } from '../../model/abortable.ts';
import { IsyncError, toIsyncError } from '../../model/isync-error.ts';
import { checkListable } from '../../s3/objects.ts';
import { lookAtObject, type LookOptions } from '../../s3/look.ts';
import { refusalOf } from '../../s3/refusals.ts';
import type { BucketPool } from '../action/bucket-pool.ts';
import type { CheckedQueue } from '../sqs/check-queue.ts';
import { FIFO_HINT, FIFO_NOTE, REDRIVE_HINT } from '../sqs/redrive-policy.ts';

/** Of a request to a bucket, in ms: somebody waits for it. */
const ANSWER_MS = 15_000;

/** What a check has found. */
export interface Finding {
  /** What was looked at, in a word or two. */
  readonly name: string;
  readonly level: 'ok' | 'warning' | 'fault';
  /** A sentence that goes on from `name`. */
  readonly message: string;
  readonly hint?: string | undefined;
}

/** Whether a folder, or one that is yet to be made, can be written to. */
export interface FolderRoom {
  readonly folder: string;
  readonly freeBytes: number;
  /** Why it can't; undefined where it can. */
  readonly fault: string | undefined;
}

export interface CheckOptions {
  readonly queue: () => Promise<CheckedQueue>;
  readonly pool: BucketPool;
  readonly buckets: readonly string[];
  /** The mapped prefixes that are listed. */
  readonly prefixes: readonly string[];
  /** Looks at the folders that a pull writes to. */
  readonly folders: () => Promise<readonly FolderRoom[]>;
  readonly minFreeBytes: number;
  readonly unmatched: 'release' | 'discard';
  readonly requests: BucketRequests;
}

interface BucketRequests extends Pick<LookOptions, 'bucketOwner' | 'requestPayer'> {
  /** How long an answer is waited for, in ms. Default {@link ANSWER_MS}. */
  readonly answerMs?: number | undefined;
}

/** Tries everything that a pull needs, and moves nothing. */
export async function* check(options: CheckOptions): AsyncGenerator<Finding> {
  yield* checkedQueue(options);
  if (options.buckets.length === 0)
    yield {
      name: 'buckets',
      level: 'warning',
      message:
        'none are named, so that their rights can not be tried and --resync has nothing to compare with',
      hint: 'Name them as "buckets" in the config file.',
    };
  for (const bucket of options.buckets) yield* checkedBucket(bucket, options);
  yield* checkedFolders(options);
}

async function* checkedQueue({ queue, unmatched }: CheckOptions): AsyncGenerator<Finding> {
  const name = 'queue';
  try {
    const { where, visibilitySeconds, isFifo, maxDeliveries, hasReceived } = await queue();
    if (hasReceived)
      yield {
        name,
        level: 'ok',
        message: `${where}: messages can be received, hidden and deleted (${visibilitySeconds} s)`,
      };
    else
      yield {
        name,
        level: 'warning',
        message: `${where}: messages can be hidden and deleted (${visibilitySeconds} s); whether they can be received was not tried: its redrive policy takes a message after one delivery`,
        hint: 'Check again while the queue is empty, or raise maxReceiveCount of its redrive policy.',
      };
    yield redriveOf({ isFifo, maxDeliveries }, unmatched);
    if (isFifo && unmatched === 'release')
      yield { name: 'order', level: 'warning', message: `the queue ${FIFO_NOTE}`, hint: FIFO_HINT };
  } catch (error) {
    yield faultOf(name, error);
  }
}

function redriveOf(
  { isFifo, maxDeliveries }: Pick<CheckedQueue, 'isFifo' | 'maxDeliveries'>,
  unmatched: CheckOptions['unmatched'],
): Finding {
  const name = 'redrive policy';
  if (maxDeliveries === undefined)
    return { name, level: 'ok', message: 'none: what fails for good is parked here' };
  const message = `what fails for good leaves the queue after ${maxDeliveries} deliveries`;
  if (unmatched === 'discard' || isFifo) return { name, level: 'ok', message };
  return { name, level: 'warning', message, hint: REDRIVE_HINT };
}

/** Tries what a resync and each look at an object do with a bucket that tells. */
export async function* checkedBucket(
  bucket: string,
  { pool, prefixes, requests }: Pick<CheckOptions, 'pool' | 'prefixes' | 'requests'>,
): AsyncGenerator<Finding> {
  const name = `bucket ${bucket}`;
  try {
    await pool.use(bucket, undefined, async (opened) => {
      for (const each of prefixes)
        await within(requests, async (request) => await checkListable(opened, each, request));
    });
    yield { name, level: 'ok', message: 'can be listed' };
  } catch (error) {
    const { message, hint } = toIsyncError(error, 'INTERNAL');
    const refusal = refusalOf(error);
    yield {
      name,
      level: 'warning',
      message: `can't be listed, so that --resync can't compare: ${message}`,
      hint:
        refusal === 'denied' || refusal === 'may not list'
          ? `Grant s3:ListBucket on the bucket ${bucket}.`
          : hint,
    };
  }
  // Rights may differ from prefix to prefix.
  for (const prefix of prefixes) yield await missingKey(bucket, prefix, pool, requests);
}

/** Runs a request, and rejects with UNREACHABLE where no answer comes. */
async function within<T>(
  { answerMs = ANSWER_MS, ...requests }: BucketRequests,
  run: (request: Omit<BucketRequests, 'answerMs'> & Abortable) => Promise<T>,
): Promise<T> {
  const limit = new AbortController();
  const late = new IsyncError('UNREACHABLE', `no answer came within ${answerMs / 1000} s`, {
    hint: 'Check the endpoint, the network and the firewall.',
  });
  const timer = setTimeout(() => limit.abort(late), answerMs);
  try {
    return await run({ ...requests, signal: limit.signal });
  } finally {
    clearTimeout(timer);
  }
}

/** What S3 answers for a key that is missing: with s3:GetObject alone it is 403. */
async function missingKey(
  bucket: string,
  prefix: string,
  pool: BucketPool,
  requests: BucketRequests,
): Promise<Finding> {
  const name = `missing key in ${bucket}/${prefix}`;
  const key = `${prefix}.isync-check-${randomBytes(8).toString('hex')}`;
  try {
    await pool.use(bucket, undefined, async (opened) => {
      const found = await within(requests, async (request) => await lookAtObject(opened, key, request));
      if (found !== 'same') found[Symbol.dispose]();
    });
  } catch (error) {
    const refusal = refusalOf(error);
    if (refusal === 'no such key') return { name, level: 'ok', message: 'is told as missing' };
    if (refusal === 'denied' || refusal === 'may not list')
      return {
        name,
        level: 'warning',
        message: 'is answered 403: removals are believed from their events alone, or nothing can be read',
        hint: `Grant s3:GetObject on the keys, and s3:ListBucket on the bucket ${bucket}.`,
      };
    return faultOf(name, error);
  }
  return { name, level: 'fault', message: 'is there, which no key of that name can be' };
}

async function* checkedFolders({ folders, minFreeBytes }: CheckOptions): AsyncGenerator<Finding> {
  try {
    for (const room of await folders()) yield checkedFolder(room, minFreeBytes);
  } catch (error) {
    const { path } = toIsyncError(error, 'INTERNAL');
    yield faultOf(path === undefined ? 'folders' : `folder ${path}`, error);
  }
}

export function checkedFolder({ folder, freeBytes, fault }: FolderRoom, minFreeBytes: number): Finding {
  const name = `folder ${folder}`;
  if (fault !== undefined)
    return {
      name,
      level: 'fault',
      message: `can't be written to (${fault})`,
      hint: 'Make it, or let the user isync runs as write there.',
    };
  if (freeBytes >= minFreeBytes) return { name, level: 'ok', message: 'can be written to' };
  return {
    name,
    level: 'fault',
    message: `has less room than "minFree" leaves free (${freeBytes} of ${minFreeBytes} bytes)`,
    hint: 'Make room, or lower minFree.',
  };
}

function faultOf(name: string, thrown: unknown): Finding {
  const { message, hint }: IsyncError = toIsyncError(thrown, 'INTERNAL');
  return { name, level: 'fault', message, hint };
}
