import type { S3Client } from '@aws-sdk/client-s3';
import { isBucketName } from '../../model/bucket-name.ts';
import { IsyncError } from '../../model/isync-error.ts';
import type { S3Access } from '../../s3/access.ts';
import { createS3Client } from '../../s3/client.ts';
import { isRegion, regionIn } from '../../s3/refusals.ts';
import { Bucket } from '../../s3/requests.ts';

/** Keys worked on at a time, unless more are asked for. */
const CONCURRENCY = 32;
/** Connections of one region beside one for each key: for ranges of large objects, looks at other keys, and listings. */
const CONNECTIONS_BESIDE = 32;
/** Regions and buckets remembered, some KB each: names come from outside. The oldest go, and are found again. */
const MAX_REGIONS = 64;
const MAX_BUCKETS = 1024;

/** How to reach any bucket of the pool; `region` is where one is looked for first. */
export type PoolAccess = Omit<S3Access, 'bucket'>;

export interface PoolOptions {
  /** Ends every request, now and later. */
  readonly cut?: AbortSignal | undefined;
  /** Keys that are worked on at a time: a request that waits for a connection fails after a while. Default 32. */
  readonly concurrency?: number | undefined;
}

/**
 * Buckets by name, wherever they are: one client a region. A bucket that answers that it is in another region is followed
 * there, and remembered. With an endpoint of its own there is one server, and nothing to follow.
 *
 * Dispose of it to close all connections; requests under way then fail.
 */
export class BucketPool implements Disposable {
  readonly #access: PoolAccess;
  readonly #cut: AbortSignal | undefined;
  readonly #connections: number;
  readonly #clients = new Map<string, S3Client>();
  readonly #buckets = new Map<string, Bucket>();
  /** Where buckets are, as they have told. */
  readonly #regions = new Map<string, string>();

  constructor(access: PoolAccess, { cut, concurrency = CONCURRENCY }: PoolOptions = {}) {
    this.#access = access;
    this.#cut = cut;
    this.#connections = concurrency + CONNECTIONS_BESIDE;
  }

  /**
   * Runs `run` with a bucket; a second time where its first request tells that the bucket is elsewhere.
   * @param hint the region, as somebody else told it; asked where the access names none
   * @throws IsyncError BAD_PATH where this can't be the name of a bucket, and what `run` rejects with
   */
  async use<T>(name: string, hint: string | undefined, run: (bucket: Bucket) => Promise<T>): Promise<T> {
    if (!isBucketName(name)) throw new IsyncError('BAD_PATH', 'this is no name of a bucket', { path: name });
    const region = this.#regionFor(name, hint);
    try {
      return await run(this.#bucket(name, region));
    } catch (error) {
      const actual = this.#access.endpoint === undefined ? regionIn(error) : undefined;
      if (actual === undefined || actual === region) throw error;
      remember(this.#regions, name, actual, MAX_BUCKETS);
      return await run(this.#bucket(name, actual));
    }
  }

  [Symbol.dispose](): void {
    for (const client of this.#clients.values()) client.destroy();
  }

  #regionFor(name: string, hint: string | undefined): string | undefined {
    if (this.#access.endpoint !== undefined) return this.#access.region;
    const told = hint !== undefined && isRegion(hint) ? hint : undefined;
    return this.#regions.get(name) ?? this.#access.region ?? told;
  }

  #bucket(name: string, region: string | undefined): Bucket {
    const id = `${region ?? ''} ${name}`;
    const known = this.#buckets.get(id);
    if (known !== undefined) return known;
    const access = { ...this.#access, bucket: name, region };
    const bucket = new Bucket(access, {
      reads: this.#connections,
      cut: this.#cut,
      client: this.#client(access),
    });
    remember(this.#buckets, id, bucket, MAX_BUCKETS);
    return bucket;
  }

  #client(access: S3Access): S3Client {
    const id = access.region ?? '';
    const known = this.#clients.get(id);
    if (known !== undefined) return known;
    // What uses an older one goes on: its idle connections close by themselves.
    if (this.#clients.size >= MAX_REGIONS) this.#clients.clear();
    const client = createS3Client(access, this.#connections);
    this.#clients.set(id, client);
    return client;
  }
}

function remember<T>(map: Map<string, T>, id: string, value: T, most: number): void {
  const [oldest] = map.keys();
  if (map.size >= most && oldest !== undefined) map.delete(oldest);
  map.set(id, value);
}
