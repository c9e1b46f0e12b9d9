import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { ByteBudget } from '../../flow/byte-budget.ts';
import { retrying } from '../../flow/retry.ts';
import { type ErrorCode, IsyncError } from '../../model/isync-error.ts';
import type { Log } from '../../model/log.ts';
import {
  type ConditionalPut,
  type PutCondition,
  putOnCondition,
  type StreamedBody,
} from '../../s3/conditional-put.ts';
import type { ObjectContent, ObjectHead } from '../../s3/content.ts';
import { answerIn, statusOf } from '../../s3/errors.ts';
import { lookAtHead } from '../../s3/look.ts';
import type { ObjectAttributes, ObjectSettings } from '../../s3/object-attributes.ts';
import { type Body, getObject, headObject, MOST_QUICK_BYTES } from '../../s3/objects.ts';
import type { Bucket, RequestOptions } from '../../s3/requests.ts';
import type { OriginHead } from '../origin/origin.ts';
import type { SpoolFile } from '../spool/spool.ts';
import { Conditions, PROBE_KEY } from './conditions.ts';
import { PART_BYTES } from './fill-parts.ts';
import type { KeptBucket } from './kept.ts';
import {
  FILLED_BY,
  type FilledBy,
  KEPT_MD5,
  KEPT_SIZE,
  metadataOf,
  storableHeaders,
} from './origin-metadata.ts';
import { putInParts } from './put-in-parts.ts';
import { readPart } from './read-part.ts';
import { abortStaleUploads } from './stale-uploads.ts';

/** Largest body that is put from memory, so that the SDK can send it again, in bytes. */
const WHOLE_BYTES = 8 * 1024 * 1024;
/**
 * Largest body that is put by one request where the completion of a multipart upload may not heed a condition, in bytes. A PUT does
 * (Ceph), so nothing that an application puts meanwhile is lost. S3's own limit is five times as much.
 */
const STREAMED_BYTES = 1024 ** 3;
/** What all bodies and parts on their way hold in memory, in bytes. */
const HELD_BYTES = 64 * 1024 * 1024;
/** How long a body that can't be sent again by the SDK is put anew, in ms. */
const AGAIN_MS = 10_000;
/**
 * Largest body that is put by one request where the server does not heed conditions, in bytes: it is there with the request itself.
 * Of a larger one all bytes are there before anybody looks whether the key is still free.
 */
const LOOKED_BYTES = 64 * 1024;
/** What conditions are tried with. */
const NOTHING: Body = { bytes: Buffer.alloc(0), md5: createHash('md5').digest('base64') };
const PASSING: ReadonlySet<ErrorCode> = new Set(['UNREACHABLE', 'LINK_LOST', 'BUSY', 'STORE_FAILED']);

export interface KeptBucketOptions {
  readonly bucket: Bucket;
  /** '' or what all keys begin with. */
  readonly prefix: string;
  readonly log: Log;
  /** Whether it is AWS, which heeds conditions on every request that makes an object. Others are watched. */
  readonly isAws: boolean;
  /** What each object is given. */
  readonly settings?: ObjectSettings | undefined;
  /** Why objects are put: because a client has asked, or all of them by a command. Default `request`. */
  readonly filledBy?: FilledBy | undefined;
  /** Smaller limits, for tests. Bytes. */
  readonly limits?: { readonly whole?: number; readonly streamed?: number; readonly part?: number };
}

export function openKeptBucket(options: KeptBucketOptions): KeptBucket {
  return new S3KeptBucket(options);
}

interface Put {
  readonly key: string;
  readonly body: SpoolFile;
  readonly condition: PutCondition;
  /** Whether the server heeds such a condition on a PUT; undefined: nobody knows. */
  readonly isHeeded: boolean | undefined;
  readonly attributes: ObjectAttributes;
  readonly request: RequestOptions & { readonly signal: AbortSignal };
}

class S3KeptBucket implements KeptBucket {
  readonly #options: KeptBucketOptions;
  readonly #bucket: Bucket;
  readonly #conditions: Conditions;
  readonly #budget = new ByteBudget(HELD_BYTES);

  constructor(options: KeptBucketOptions) {
    this.#options = options;
    this.#bucket = options.bucket;
    const key = this.#keyOf(PROBE_KEY);
    this.#conditions = new Conditions(
      async (condition) =>
        await putOnCondition(this.#bucket, key, NOTHING, condition, { ...options.settings }, { path: key }),
      options.isAws,
    );
  }

  async head(key: string, signal?: AbortSignal): Promise<ObjectHead | undefined> {
    try {
      return await lookAtHead(this.#bucket, this.#keyOf(key), { signal, path: key });
    } catch (error) {
      if (statusOf(answerIn(error)) !== 404) throw error;
      // Of a HEAD also a bucket that is gone looks like this; the PUT that follows tells.
      return undefined;
    }
  }

  async get(key: string, options: Parameters<KeptBucket['get']>[1]): Promise<ObjectContent | undefined> {
    try {
      return await getObject(this.#bucket, this.#keyOf(key), { ...options, path: key });
    } catch (error) {
      if (error instanceof IsyncError && error.code === 'FILE_CHANGED') return undefined;
      throw error;
    }
  }

  async put(
    key: string,
    body: SpoolFile,
    head: OriginHead & { readonly origin: string },
    { signal, replaces }: Parameters<KeptBucket['put']>[3],
  ): Promise<'kept' | 'present'> {
    const { isAws, limits: { whole = WHOLE_BYTES, streamed = STREAMED_BYTES, part = PART_BYTES } = {} } =
      this.#options;
    const condition: PutCondition =
      replaces === undefined ? { kind: 'absent' } : { kind: 'etag', etag: replaces.etag };
    const isHeeded = await this.#conditions.heeds(condition.kind, signal);
    const put: Put = {
      key: this.#keyOf(key),
      body,
      condition,
      isHeeded,
      attributes: this.#attributesOf(key, body, head),
      request: { signal, path: key },
    };
    const mostBytes = isAws ? whole : isHeeded === true ? streamed : Math.min(whole, LOOKED_BYTES);
    if (body.size > mostBytes)
      return await putInParts({
        ...put,
        bucket: this.#bucket,
        budget: this.#budget,
        partBytes: part,
        signal,
      });
    return body.size <= whole ? await this.#putWhole(put) : await this.#putStreamed(put);
  }

  async removeStaleUploads(olderMs: number, signal: AbortSignal): Promise<number> {
    return await abortStaleUploads(this.#bucket, this.#options.prefix, Date.now() - olderMs, signal);
  }

  #keyOf(key: string): string {
    return this.#options.prefix + key;
  }

  /** By our metadata it can be told from what an application puts in its place. */
  #attributesOf(
    key: string,
    { size, md5 }: SpoolFile,
    head: OriginHead & { readonly origin: string },
  ): ObjectAttributes {
    const { filledBy = 'request' } = this.#options;
    const own = { [FILLED_BY]: filledBy, [KEPT_SIZE]: String(size), [KEPT_MD5]: md5 };
    const { metadata, dropped } = metadataOf(head, own);
    if (dropped.length > 0)
      this.#options.log.warn('metadata of the origin is not kept: S3 takes 2 KiB', { key, dropped });
    return { ...this.#options.settings, metadata, headers: storableHeaders(head.headers) };
  }

  /** Whether the condition does not hold, as far as a look tells. */
  async #isTaken({ key, condition, request }: Put): Promise<boolean> {
    const head = await headObject(this.#bucket, key, request);
    return condition.kind === 'absent' ? head !== undefined : head?.etag !== condition.etag;
  }

  async #putWhole(put: Put): Promise<'kept' | 'present'> {
    const { body, request } = put;
    const held = await this.#budget.take(body.size);
    try {
      request.signal.throwIfAborted();
      const bytes = await readPart(body, 0, body.size, request.signal);
      const whole = { bytes, md5: base64(body.md5) };
      return await this.#putBody(put, () => whole);
    } finally {
      held[Symbol.dispose]();
    }
  }

  async #putStreamed(put: Put): Promise<'kept' | 'present'> {
    const { body, request } = put;
    const { signal } = request;
    const streamed = (): StreamedBody => ({
      stream: Readable.from(body.read({}, signal), { objectMode: false }),
      size: body.size,
      md5: base64(body.md5),
    });
    return await retrying(
      () => this.#putBody(put, streamed),
      { giveUpAfterMs: AGAIN_MS },
      { signal, isRetryable },
    );
  }

  async #putBody(put: Put, bodyOf: () => Body | StreamedBody): Promise<'kept' | 'present'> {
    for (const [at, condition] of this.#waysOf(put).entries()) {
      // Right before the request that may not look itself. Also a refusal may come of how the condition before was written.
      if ((at > 0 || put.isHeeded !== true) && (await this.#isTaken(put))) return 'present';
      const outcome = await this.#send(put, bodyOf(), condition);
      if (typeof outcome === 'object') {
        await this.#check(put, outcome.etag);
        return 'kept';
      }
      if (outcome === 'refused' && condition?.kind === 'absent') return 'present';
      if (outcome === 'conflict') break;
    }
    if (await this.#isTaken(put)) return 'present';
    throw new IsyncError('STORE_FAILED', 'the object store can not tell whether the key may be put', {
      path: put.request.path,
    });
  }

  /** Conditions to send, one after the other, each where the server could do nothing with the one before and a look finds no harm. */
  #waysOf({ condition, isHeeded }: Put): readonly (PutCondition | undefined)[] {
    if (isHeeded === false) return [undefined];
    const isOnce = condition.kind === 'absent' || this.#options.isAws;
    const ways = isOnce ? [condition] : [condition, { ...condition, isBare: true } as const];
    return isHeeded === true ? ways : [...ways, undefined];
  }

  async #send(
    { key, attributes, request }: Put,
    body: Body | StreamedBody,
    condition: PutCondition | undefined,
  ): Promise<ConditionalPut> {
    const isQuick = 'bytes' in body && body.bytes.length <= MOST_QUICK_BYTES;
    return await putOnCondition(this.#bucket, key, body, condition, attributes, { ...request, isQuick });
  }

  /** The server has checked the MD5 of what came; that it has kept it is checked here. */
  async #check({ key, body, request }: Put, etag: string): Promise<void> {
    if (etag === body.md5) return;
    // An ETag that is no MD5, as with SSE-KMS.
    const head = await headObject(this.#bucket, key, request);
    // Another object may have come right after ours.
    if (head !== undefined && (head.etag !== etag || head.size === body.size)) return;
    const { path } = request;
    const message = `${head?.size ?? 'no'} bytes are kept where ${body.size} were put`;
    throw new IsyncError('STORE_FAILED', message, { path });
  }
}

function base64(hex: string): string {
  return Buffer.from(hex, 'hex').toString('base64');
}

function isRetryable({ code }: IsyncError): boolean {
  return PASSING.has(code);
}
