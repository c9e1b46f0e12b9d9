import type { ObjectContent } from '../../../s3/content.ts';
import {
  type LookedAt,
  lookAtHead,
  lookAtObject,
  type LookOptions,
  type ObjectFacts,
  type RangeOptions,
} from '../../../s3/look.ts';
import { getObjectTags } from '../../../s3/object-tags.ts';
import type { ListOptions } from '../../../s3/objects.ts';
import type { Bucket } from '../../../s3/requests.ts';
import type { ObjectEvent } from '../../object-event.ts';
import type { BucketPool } from '../bucket-pool.ts';
import { getRangeOf } from '../range-of.ts';
import type { CopySource } from './copy-options.ts';

export type Where = Pick<ObjectEvent, 'bucket' | 'key' | 'region'>;

/** The buckets that objects come from. Each call is one request. */
export class SourceBuckets {
  readonly #pool: BucketPool;
  readonly #common: Pick<LookOptions, 'bucketOwner' | 'requestPayer'>;

  constructor(pool: BucketPool, { bucketOwner, requestPayer }: CopySource) {
    this.#pool = pool;
    this.#common = { bucketOwner, requestPayer };
  }

  /** The object, whose bytes are coming. */
  async get(where: Where, signal: AbortSignal): Promise<LookedAt> {
    const object = await this.use(where, (bucket) =>
      lookAtObject(bucket, where.key, { ...this.#options(where, signal), isQuick: true }),
    );
    if (object !== 'same') return object;
    throw new Error('no condition was given');
  }

  async head(where: Where, signal: AbortSignal): Promise<ObjectFacts> {
    return await this.use(where, (bucket) => lookAtHead(bucket, where.key, this.#options(where, signal)));
  }

  async range(
    where: Where,
    range: Pick<RangeOptions, 'ifMatch' | 'start' | 'end'>,
    signal: AbortSignal,
  ): Promise<ObjectContent> {
    return await this.use(where, (bucket) =>
      getRangeOf(bucket, where.key, { ...range, ...this.#options(where, signal) }),
    );
  }

  /** What a listing is asked for with. */
  get listing(): Pick<ListOptions, 'bucketOwner' | 'requestPayer'> {
    return this.#common;
  }

  async tags(where: Where, signal: AbortSignal): Promise<Readonly<Record<string, string>>> {
    return await this.use(where, (bucket) => getObjectTags(bucket, where.key, this.#options(where, signal)));
  }

  async use<T>({ bucket, region }: Where, run: (bucket: Bucket) => Promise<T>): Promise<T> {
    return await this.#pool.use(bucket, region, run);
  }

  #options({ bucket, key }: Where, signal: AbortSignal) {
    return { ...this.#common, signal, path: `${bucket}/${key}` };
  }
}
