import { createHash } from 'node:crypto';
import type { Abortable } from '../../../model/abortable.ts';
import { IsyncError } from '../../../model/isync-error.ts';
import type { S3Access } from '../../../s3/access.ts';
import { answerIn, isAbsent, statusOf } from '../../../s3/errors.ts';
import {
  abortUpload,
  completeUpload,
  listUploads,
  MIN_PART_BYTES,
  partsOfUpload,
  putPart,
  startUpload,
  type UploadKey,
} from '../../../s3/multipart.ts';
import type { ObjectAttributes } from '../../../s3/object-attributes.ts';
import { putObjectTags } from '../../../s3/object-tags.ts';
import { type Body, headObject, listObjects, putObject, putObjectIfAbsent } from '../../../s3/objects.ts';
import type { RequestOptions } from '../../../s3/requests.ts';
import { getRetention, isDenied, putRetention } from '../../../s3/retention.ts';
import { newestVersion, removeVersion } from '../../../s3/versions.ts';
import type { JobTarget, ObjectLock } from '../../job.ts';
import type { ByteRanges } from '../../pack/byte-ranges.ts';
import type {
  ArchiveAttributes,
  BackupTarget,
  CompleteOptions,
  LockOptions,
  RemoveOptions,
  StoredPart,
  TargetCapabilities,
  TargetObject,
  TargetPart,
  TargetUpload,
} from '../target.ts';
import { madeObject } from '../made-object.ts';
import { Endpoints } from './endpoints.ts';
import { rangesOf } from './ranges.ts';

/** A part is held in memory, so this bounds it: 9,000 of them are what an object can be, and some. S3's own limit is 5 GiB. */
const MOST_PART_BYTES = 1024 ** 3;
/** Versions of one key that are removed with it: marks and the object of the job are put a few times. */
const MOST_VERSIONS = 100;
const DAY_MS = 86_400_000;
/** Of an object in a bucket without versions. */
const NO_VERSION = { versionId: undefined } as const;
/** The one that is of before the bucket had versions: not every server tells it. */
const UNNAMED_VERSION = 'null';
/** Servers keep the end of a lock in whole seconds. */
const LOCK_STEP_MS = 1000;

export type S3JobTarget = Extract<JobTarget, { readonly kind: 's3' }>;

/**
 * Backups as objects of a bucket, `PREFIX/JOB/KEY`.
 * @param accesses of the servers of the bucket, the preferred first
 */
export function openS3Target(
  target: Pick<S3JobTarget, 'bucket' | 'prefix' | 'storageClass' | 'sse' | 'sseKmsKeyId' | 'lock'>,
  job: string,
  accesses: readonly S3Access[],
): BackupTarget {
  return new S3Target(target, job, accesses);
}

class S3Target implements BackupTarget {
  readonly name: string;
  readonly capabilities: TargetCapabilities;
  readonly #target: Parameters<typeof openS3Target>[0];
  readonly #prefix: string;
  readonly #endpoints: Endpoints;
  /** Until the server says that it knows none. */
  #hasTags = true;
  /** From the first object on that the server tells no version of. */
  #hasNoVersions = false;

  constructor(target: Parameters<typeof openS3Target>[0], job: string, accesses: readonly S3Access[]) {
    const { bucket, prefix, lock } = target;
    this.name = prefix === '' ? `s3://${bucket}` : `s3://${bucket}/${prefix}`;
    this.capabilities = { lock, leastPartBytes: MIN_PART_BYTES, mostPartBytes: MOST_PART_BYTES };
    this.#target = target;
    this.#prefix = prefix === '' ? `${job}/` : `${prefix}/${job}/`;
    this.#endpoints = new Endpoints(accesses);
  }

  get clockAheadMs(): number | undefined {
    return this.#endpoints.clockAheadMs;
  }

  async *list(options: Abortable = {}): AsyncGenerator<TargetObject> {
    for await (const object of this.#endpoints.each((bucket) => listObjects(bucket, this.#prefix, options))) {
      const key = this.#ownKey(object.key);
      if (key !== undefined) yield { ...object, key };
    }
  }

  async head(key: string, options: Abortable = {}): Promise<TargetObject | undefined> {
    const found = await this.#endpoints.on((bucket) => headObject(bucket, ...this.#at(key, options)));
    return found && { key, size: found.size, modifiedMs: found.modifiedMs, etag: found.etag };
  }

  async read(key: string, options: Abortable = {}): Promise<ByteRanges | undefined> {
    const found = await this.head(key, options);
    return found && rangesOf(this.#endpoints, { ...found, key: this.#prefix + key }, options);
  }

  async put(key: string, bytes: Uint8Array, options: Abortable = {}): Promise<void> {
    const [full, request] = this.#at(key, options);
    await this.#endpoints.on((bucket) =>
      putObject(bucket, full, bodyOf(bytes), this.#smallAttributes(), request),
    );
  }

  async putIfAbsent(key: string, bytes: Uint8Array, options: Abortable = {}): Promise<boolean> {
    const [full, request] = this.#at(key, options);
    const stored = await this.#endpoints.on((bucket) =>
      putObjectIfAbsent(bucket, full, bodyOf(bytes), this.#smallAttributes(), request),
    );
    if (stored !== 'unsupported') return stored !== 'in use';
    // Whoever needs to know reads it back.
    if ((await this.head(key, options)) !== undefined) return false;
    await this.put(key, bytes, options);
    return true;
  }

  async begin(key: string, attributes: ArchiveAttributes, options: Abortable = {}): Promise<string> {
    const { tags, metadata } = attributes;
    const isTagged = this.#hasTags && Object.keys(tags).length > 0;
    const { storageClass } = this.#target;
    const given = { ...this.#encryption(), storageClass, metadata, ...(isTagged && { tags }) };
    try {
      const [full, request] = this.#at(key, options);
      return (await this.#endpoints.on((bucket) => startUpload(bucket, full, given, request))).uploadId;
    } catch (error) {
      if (!isTagged || !this.#hasNoTags(error)) throw error;
      return await this.begin(key, attributes, options);
    }
  }

  async putPart(upload: TargetUpload, part: TargetPart, options: Abortable = {}): Promise<string> {
    const { number, bytes, md5 } = part;
    const request = { ...options, path: upload.key };
    return await this.#ofUpload(upload, async () => {
      const { etag } = await this.#endpoints.on((bucket) =>
        putPart(bucket, this.#uploadKey(upload), number, { bytes, md5 }, request),
      );
      return etag;
    });
  }

  async parts(
    upload: TargetUpload,
    options: Abortable = {},
  ): Promise<ReadonlyMap<number, StoredPart> | undefined> {
    const request = { ...options, path: upload.key };
    const parts = await this.#endpoints.on((bucket) =>
      partsOfUpload(bucket, this.#uploadKey(upload), request),
    );
    return parts && new Map(parts.map(({ number, size, etag }) => [number, { size, etag }]));
  }

  async complete(
    upload: TargetUpload,
    etags: readonly string[],
    size: number,
    options: CompleteOptions = {},
  ): Promise<TargetObject> {
    const { key } = upload;
    const request = { ...options, path: key };
    let gone: unknown;
    try {
      await this.#endpoints.on((bucket) => completeUpload(bucket, this.#uploadKey(upload), etags, request));
    } catch (error) {
      // Complete already, where only the answer was lost: the object tells.
      if (!isAbsent(answerIn(error))) throw error;
      gone = error;
    }
    const made = madeObject(await this.head(key, options), key, size, gone);
    await this.#tag(key, options);
    return made;
  }

  async abort(upload: TargetUpload, options: Abortable = {}): Promise<void> {
    const request = { ...options, path: upload.key };
    await this.#endpoints.on((bucket) => abortUpload(bucket, this.#uploadKey(upload), request));
  }

  async *uploads(options: Abortable = {}): AsyncGenerator<TargetUpload & { readonly startedMs: number }> {
    const listed = this.#endpoints.each((bucket) => listUploads(bucket, this.#prefix, options));
    for await (const { key: full, uploadId: id, startedMs } of listed) {
      const key = this.#ownKey(full);
      if (key !== undefined) yield { key, id, startedMs };
    }
  }

  /**
   * In a bucket with versions an earlier one would come to light again: they are removed too. Each is looked up before; what was listed in
   * a bucket that has told of no versions is not, which halves the requests.
   */
  async remove(
    key: string,
    { isListed = false, ...options }: RemoveOptions = {},
  ): Promise<'removed' | 'locked' | 'absent'> {
    const [full, request] = this.#at(key, options);
    let isKnown = isListed && this.#hasNoVersions;
    let hasVersions = false;
    for (let removed = 0; removed < MOST_VERSIONS; removed++) {
      const newest = isKnown
        ? NO_VERSION
        : await this.#endpoints.on((bucket) => newestVersion(bucket, full, request));
      if (newest === undefined) return removed === 0 ? 'absent' : 'removed';
      const versionId = newest.versionId ?? (hasVersions ? UNNAMED_VERSION : undefined);
      this.#hasNoVersions = versionId === undefined;
      let marker: string | undefined;
      try {
        marker = await this.#endpoints.on((bucket) => removeVersion(bucket, full, versionId, request));
      } catch (error) {
        if (!isDenied(error) || !(await this.#isLocked(key, options))) throw error;
        return 'locked';
      }
      if (marker !== undefined) {
        // The bucket has versions by now. They are all still there, behind the marker.
        this.#hasNoVersions = false;
        hasVersions = true;
        isKnown = false;
        await this.#endpoints.on((bucket) => removeVersion(bucket, full, marker, request));
      } else if (versionId === undefined) return 'removed';
    }
    throw new IsyncError('STORE_FAILED', `more than ${MOST_VERSIONS} versions of it are in the bucket`, {
      path: key,
      hint: 'Remove them with a lifecycle rule for noncurrent versions.',
    });
  }

  async lockedUntil(key: string, options: Abortable = {}): Promise<number | undefined> {
    const found = await this.#endpoints.on((bucket) => getRetention(bucket, ...this.#at(key, options)));
    return found?.untilMs;
  }

  async lock(
    key: string,
    mode: ObjectLock['mode'],
    untilMs: number,
    { isNew = false, ...options }: LockOptions = {},
  ): Promise<void> {
    const [full, request] = this.#at(key, options);
    const before = isNew
      ? undefined
      : await this.#endpoints.on((bucket) => getRetention(bucket, full, request));
    if (before !== undefined && before.untilMs >= untilMs) return;
    const wanted = {
      // Of compliance nobody gets a lock back to governance.
      mode: before?.mode === 'compliance' ? before.mode : mode,
      untilMs: Math.ceil(untilMs / LOCK_STEP_MS) * LOCK_STEP_MS,
    };
    try {
      await this.#endpoints.on((bucket) => putRetention(bucket, full, wanted, request));
    } catch (error) {
      // The bucket may have locked it for longer by itself.
      if (!isNew || !isDenied(error)) throw error;
      return await this.lock(key, mode, untilMs, options);
    }
    const after = await this.#endpoints.on((bucket) => getRetention(bucket, full, request));
    if (after !== undefined && after.untilMs >= untilMs && after.mode === wanted.mode) return;
    throw new IsyncError('STORE_FAILED', 'the bucket has taken the lock, and does not have it', {
      path: key,
      retryable: false,
      hint: 'Locks need a bucket that was made with Object Lock.',
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#endpoints[Symbol.dispose]();
  }

  async #tag(key: string, { signal, tags = {} }: CompleteOptions): Promise<void> {
    if (!this.#hasTags || Object.keys(tags).length === 0) return;
    const [full, request] = this.#at(key, { signal });
    try {
      await this.#endpoints.on((bucket) => putObjectTags(bucket, full, tags, request));
    } catch (error) {
      if (!this.#hasNoTags(error)) throw error;
    }
  }

  /** The manifest has the tags too, so an archive without them is fine. */
  #hasNoTags(error: unknown): boolean {
    if (statusOf(answerIn(error)) !== 501) return false;
    this.#hasTags = false;
    return true;
  }

  async #isLocked(key: string, options: Abortable): Promise<boolean> {
    return ((await this.lockedUntil(key, options)) ?? 0) > Date.now() - (this.clockAheadMs ?? 0);
  }

  /** An upload that is gone will not come back. */
  async #ofUpload<T>({ key }: TargetUpload, run: () => Promise<T>): Promise<T> {
    try {
      return await run();
    } catch (error) {
      if (!isAbsent(answerIn(error))) throw error;
      throw new IsyncError('MISSING', 'the upload is not there any more', { path: key, cause: error });
    }
  }

  #encryption(): ObjectAttributes {
    const { sse, sseKmsKeyId } = this.#target;
    return { sse, sseKmsKeyId };
  }

  #smallAttributes(): ObjectAttributes {
    const { lock } = this.#target;
    if (lock === undefined) return this.#encryption();
    const { mode, days } = lock;
    return { ...this.#encryption(), retention: { mode, untilMs: Date.now() + days * DAY_MS } };
  }

  #at(key: string, options: Abortable): [string, RequestOptions] {
    return [this.#prefix + key, { ...options, path: key }];
  }

  #uploadKey({ key, id }: TargetUpload): UploadKey {
    return { key: this.#prefix + key, uploadId: id };
  }

  /** Undefined for what lies in a folder below, and for the folder itself: neither is ours. */
  #ownKey(key: string): string | undefined {
    const own = key.slice(this.#prefix.length);
    return !key.startsWith(this.#prefix) || own === '' || own.includes('/') ? undefined : own;
  }
}

function bodyOf(bytes: Uint8Array): Body {
  return { bytes, md5: createHash('md5').update(bytes).digest('base64') };
}
