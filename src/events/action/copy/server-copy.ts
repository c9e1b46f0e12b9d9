import type { Log } from '../../../model/log.ts';
import {
  type Copied,
  type CopyAttributes,
  type CopyOptions,
  copyPresent,
  copyVersion,
  type Place,
} from '../../../s3/copy.ts';
import { isRefusal } from '../../../s3/errors.ts';
import type { ObjectFacts } from '../../../s3/look.ts';
import { MOST_QUICK_BYTES, type Stored } from '../../../s3/objects.ts';
import { type CopiedTags, isRefused, type Tags } from './copied-tags.ts';
import type { CopyLimits, CopySource } from './copy-options.ts';
import type { SourceBuckets, Where } from './source-buckets.ts';
import type { TargetBucket } from './target-bucket.ts';

/** Buckets remembered whose objects the server does not copy: names come from outside. Others are asked about again. */
const MOST_REFUSED = 1024;

export interface ServerCopyNeeds extends Pick<CopySource, 'bucketOwner' | 'requestPayer'> {
  /** Whether both sides are one server, reached as one user. */
  readonly isOne: boolean;
  readonly source: SourceBuckets;
  readonly target: TargetBucket;
  readonly tags: CopiedTags;
  readonly limits: CopyLimits;
  readonly log: Log;
}

/** Lets the server copy objects, where it does. */
export class ServerCopy {
  readonly #needs: ServerCopyNeeds;
  readonly #refused = new Set<string>();

  constructor(needs: ServerCopyNeeds) {
    this.#needs = needs;
  }

  /** Whether objects of the bucket may be copied so, as far as is known. */
  mayCopy(bucket: string): boolean {
    return this.#needs.isOne && !this.#refused.has(bucket);
  }

  /** Whether a copy is made of parts: then its ETag is another one. */
  isInParts({ size }: Pick<ObjectFacts, 'size'>): boolean {
    return size > this.#needs.limits.serverWholeBytes;
  }

  /**
   * @param attributes in place of those of the object
   * @returns the ETag of the copy; undefined where the server does not let us
   * @throws IsyncError FILE_CHANGED, retryable, where another version has taken the place of this one
   */
  async copy(
    where: Where,
    key: string,
    object: ObjectFacts,
    attributes: CopyAttributes | undefined,
    signal: AbortSignal,
  ): Promise<string | undefined> {
    const { tags } = this.#needs;
    const make = async (tags: Tags | undefined): Promise<Stored> =>
      await this.#between(where, key, object.size, signal, (from, to, options) =>
        copyVersion(from, to, object, { ...options, settings: { ...options.settings, tags }, attributes }),
      );
    try {
      // In one piece, they come by themselves.
      const { etag } = this.isInParts(object)
        ? await tags.with(where, object, signal, make)
        : await make(undefined);
      return etag;
    } catch (error) {
      if (!isRefused(error)) throw error;
      this.#note(where.bucket, error);
      return undefined;
    }
  }

  /** The same with an object that nobody has looked at, of a size that one request copies: undefined where nothing was copied. */
  async copyUnseen(
    where: Where,
    key: string,
    size: number,
    signal: AbortSignal,
  ): Promise<Copied | undefined> {
    try {
      return await this.#between(where, key, size, signal, copyPresent);
    } catch (error) {
      // Whoever looks at it tells why: it may be gone, or not to be copied.
      if (isRefusal(error) || isRefused(error)) return undefined;
      throw error;
    }
  }

  async #between<T>(
    where: Where,
    key: string,
    size: number,
    signal: AbortSignal,
    copy: (from: Place, to: Place, options: CopyOptions) => Promise<T>,
  ): Promise<T> {
    const { source, target, limits, bucketOwner, requestPayer } = this.#needs;
    const options: CopyOptions = {
      settings: target.settings,
      sourceOwner: bucketOwner,
      requestPayer,
      mostAtOnceBytes: limits.serverWholeBytes,
      partBytes: limits.serverPartBytes,
      isQuick: size <= MOST_QUICK_BYTES,
      signal,
      path: key,
    };
    return await source.use(where, async (from) =>
      target.use((to) => copy({ bucket: from, key: where.key }, { bucket: to, key }, options)),
    );
  }

  #note(bucket: string, error: unknown): void {
    const [oldest] = this.#refused;
    if (this.#refused.size >= MOST_REFUSED && oldest !== undefined) this.#refused.delete(oldest);
    this.#refused.add(bucket);
    this.#needs.log.warn('the server does not copy objects of this bucket: they pass through here', {
      bucket,
      err: error,
    });
  }
}
