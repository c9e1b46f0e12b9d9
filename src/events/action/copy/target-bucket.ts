import { isNoSuchKey, statusOf, answerIn } from '../../../s3/errors.ts';
import { lookAtHead, lookAtObject, type ObjectFacts } from '../../../s3/look.ts';
import type { ObjectAttributes } from '../../../s3/object-attributes.ts';
import {
  type Body,
  MOST_QUICK_BYTES,
  putObject,
  putObjectIfAbsent,
  removeObject,
  type Stored,
} from '../../../s3/objects.ts';
import { putObjectTags } from '../../../s3/object-tags.ts';
import type { Bucket } from '../../../s3/requests.ts';
import type { BucketPool } from '../bucket-pool.ts';
import type { CopyTarget } from './copy-options.ts';

/** What the target has under a key: 'untold' where we may not know, as without s3:ListBucket. */
export type Kept = ObjectFacts | 'nothing' | 'untold';

export function isObject(kept: Kept): kept is ObjectFacts {
  return typeof kept === 'object';
}

/** The bucket that copies go to. */
export class TargetBucket {
  readonly #pool: BucketPool;
  readonly #options: CopyTarget;

  constructor(pool: BucketPool, options: CopyTarget) {
    this.#pool = pool;
    this.#options = options;
  }

  get settings(): CopyTarget['settings'] {
    return this.#options.settings;
  }

  async head(key: string, signal: AbortSignal): Promise<Kept> {
    try {
      return await this.use((bucket) => lookAtHead(bucket, key, { signal, path: key }));
    } catch (error) {
      const status = statusOf(answerIn(error));
      if (status === 404) return 'nothing';
      // 400: what is there is encrypted with a key that each request must bring.
      if (status === 403 || status === 400) return 'untold';
      throw error;
    }
  }

  /** The same, where "nothing" decides that nothing is done: not told by a bucket that is away. */
  async find(key: string, signal: AbortSignal): Promise<Kept> {
    const kept = await this.head(key, signal);
    if (kept !== 'nothing') return kept;
    try {
      const object = await this.use((bucket) => lookAtObject(bucket, key, { signal, path: key }));
      if (object === 'same') return 'untold';
      object[Symbol.dispose]();
      return object;
    } catch (error) {
      if (isNoSuchKey(error)) return 'nothing';
      throw error;
    }
  }

  async put(key: string, body: Body, attributes: ObjectAttributes, signal: AbortSignal): Promise<Stored> {
    return await this.use((bucket) =>
      putObject(bucket, key, body, { ...this.settings, ...attributes }, requestFor(key, body, signal)),
    );
  }

  /** Puts an object unless the key is in use. */
  async putIfAbsent(
    key: string,
    body: Body,
    attributes: ObjectAttributes,
    signal: AbortSignal,
  ): Promise<Stored | 'in use' | 'unsupported'> {
    return await this.use((bucket) =>
      putObjectIfAbsent(
        bucket,
        key,
        body,
        { ...this.settings, ...attributes },
        requestFor(key, body, signal),
      ),
    );
  }

  async putTags(key: string, tags: Readonly<Record<string, string>>, signal: AbortSignal): Promise<void> {
    await this.use((bucket) => putObjectTags(bucket, key, tags, { signal, path: key }));
  }

  async remove(key: string, signal: AbortSignal): Promise<void> {
    await this.use((bucket) => removeObject(bucket, key, { signal, path: key }));
  }

  /** Runs `run` with the bucket, once more where its first request tells that the bucket is in another region. */
  async use<T>(run: (bucket: Bucket) => Promise<T>): Promise<T> {
    return await this.#pool.use(this.#options.bucket, undefined, run);
  }
}

function requestFor(path: string, { bytes }: Body, signal: AbortSignal) {
  return { path, signal, isQuick: bytes.length <= MOST_QUICK_BYTES };
}
