import type { ErrorCode } from '../../../model/isync-error.ts';
import { IsyncError } from '../../../model/isync-error.ts';
import { createS3Client } from '../../../s3/client.ts';
import type { S3Access } from '../../../s3/access.ts';
import { Bucket } from '../../../s3/requests.ts';
import { watchServerClock } from '../../../s3/server-clock.ts';

/** Connections to one endpoint: parts at once, and a few requests beside. */
const CONNECTIONS = 16;
/** Objects read at a time: each has a connection until its last byte. */
const READS = 8;
/** What another endpoint of the bucket may not have: it is tried next. */
const OF_ENDPOINT: ReadonlySet<ErrorCode> = new Set([
  'UNREACHABLE',
  'LINK_LOST',
  'TLS_FAILED',
  'BUSY',
  'STORE_FAILED',
]);

/** The servers of one bucket. Requests go to one of them until it fails, and to the next from then on. */
export class Endpoints implements Disposable {
  readonly #buckets: readonly Bucket[];
  #current = 0;
  #clockAheadMs: number | undefined;

  /** @param accesses one at least, the preferred first */
  constructor(accesses: readonly S3Access[]) {
    this.#buckets = accesses.map((access) => {
      const client = createS3Client(access, CONNECTIONS + READS, { isOneTry: true });
      watchServerClock(client, (aheadMs) => (this.#clockAheadMs = aheadMs));
      return new Bucket(access, { client, reads: READS });
    });
  }

  get clockAheadMs(): number | undefined {
    return this.#clockAheadMs;
  }

  /** One try at the endpoint of the moment. */
  async on<T>(run: (bucket: Bucket) => Promise<T>): Promise<T> {
    const at = this.#current;
    try {
      return await run(this.#bucketAt(at));
    } catch (error) {
      this.#leave(at, error);
      throw error;
    }
  }

  /** The same for what comes piece by piece. */
  async *each<T>(run: (bucket: Bucket) => AsyncIterable<T>): AsyncGenerator<T> {
    const at = this.#current;
    try {
      yield* run(this.#bucketAt(at));
    } catch (error) {
      this.#leave(at, error);
      throw error;
    }
  }

  [Symbol.dispose](): void {
    for (const bucket of this.#buckets) bucket[Symbol.dispose]();
  }

  #bucketAt(at: number): Bucket {
    const bucket = this.#buckets[at];
    if (bucket === undefined) throw new IsyncError('INTERNAL', 'a bucket without a server');
    return bucket;
  }

  /** Of many requests that fail at a time, the first moves on. */
  #leave(at: number, error: unknown): void {
    if (at !== this.#current || !(error instanceof IsyncError) || !OF_ENDPOINT.has(error.code)) return;
    this.#current = (at + 1) % this.#buckets.length;
  }
}
