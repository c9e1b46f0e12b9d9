import type { Log } from '../../../model/log.ts';
import type { ObjectSettings } from '../../../s3/object-attributes.ts';
import type { PoolAccess } from '../bucket-pool.ts';

export interface CopySource {
  readonly access: PoolAccess;
  /** Whose events are followed; others are refused. Default: any. */
  readonly buckets?: readonly string[] | undefined;
  /** Keys that begin otherwise are not for us. Default: all. */
  readonly prefix?: string | undefined;
  /** The id of the account that must own every one of them. */
  readonly bucketOwner?: string | undefined;
  /** Agrees to pay for requests. Default false. */
  readonly requestPayer?: boolean | undefined;
}

export interface CopyTarget {
  readonly access: PoolAccess;
  readonly bucket: string;
  /** In front of every key. */
  readonly prefix: string;
  /** How the copies are kept; what is left out is the default of the bucket. */
  readonly settings?: Omit<ObjectSettings, 'tags'> | undefined;
}

export interface CopyOptions {
  readonly source: CopySource;
  readonly target: CopyTarget;
  /** Whether copies go when their objects have gone. Default true. */
  readonly removals?: boolean | undefined;
  /** Keys that are worked on at a time. Default 32. */
  readonly concurrency?: number | undefined;
  /** Told each time a key is acted on once more, because its object has changed meanwhile. */
  readonly lookedAgain?: (() => void) | undefined;
  /** Ends every request, now and later. */
  readonly cut?: AbortSignal | undefined;
  readonly limits?: Partial<CopyLimits> | undefined;
  readonly log: Log;
}

export interface CopyLimits {
  /** Largest object that is put by one request, in bytes: it is in memory as a whole. */
  readonly wholeBytes: number;
  /** Bytes of a part of a larger one, at least 5 MiB: it is in memory as a whole. Grows where 10,000 of them are too few. */
  readonly partBytes: number;
  /** Parts of one object on their way at a time: they hide each other's answer times. */
  readonly partsAtOnce: number;
  /** Bytes of objects in memory, of all keys together; but one part of more than that may be there alone. */
  readonly heldBytes: number;
  /** Age from which an upload to a key is one that a killed process left, in ms: no copy that goes on takes as long. */
  readonly leftBehindMs: number;
  /** Largest object that the server copies by one request, in bytes. */
  readonly serverWholeBytes: number;
  /** Bytes of a part of a larger one. */
  readonly serverPartBytes: number;
  /** How long before a copy its object must have been put, in ms, where listings are to show that it is sound. */
  readonly restMs: number;
}

const MIB = 1024 * 1024;

export const LIMITS: CopyLimits = {
  wholeBytes: 64 * MIB,
  partBytes: 16 * MIB,
  partsAtOnce: 4,
  heldBytes: 128 * MIB,
  leftBehindMs: 24 * 60 * 60_000,
  // https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html
  serverWholeBytes: 5 * 1024 * MIB,
  serverPartBytes: 512 * MIB,
  // The clocks of one store's machines differ by less.
  restMs: 10_000,
};

/** What {@link Route} tells of a key. */
export interface CopyRoute {
  /** Of the copy. */
  readonly key: string;
}
