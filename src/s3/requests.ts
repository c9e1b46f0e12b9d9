import type { S3Client } from '@aws-sdk/client-s3';
import { Limiter } from '../flow/limiter.ts';
import type { Abortable } from '../model/abortable.ts';
import { IsyncError } from '../model/isync-error.ts';
import type { S3Access } from './access.ts';
import { createS3Client } from './client.ts';
import { isAbsent, s3Error } from './errors.ts';

/** Requests of a bucket under way at a time: they keep a server of a few cores busy with small files. */
const CONNECTIONS = 32;
/**
 * Objects whose bytes are read at a time. Each keeps one more connection until its last byte: a few files of a gigabyte
 * would otherwise hold up all requests.
 */
const READS = 16;
/** Entries of a listing in one answer: the servers' own limit. */
const PAGE = 1000;

export interface RequestOptions extends Abortable {
  /** The path concerned, for people; it becomes that of the error. */
  readonly path?: string | undefined;
}

export interface BucketOptions {
  /** Most entries of a listing that one answer may hold. */
  readonly page?: number | undefined;
  /** Objects whose bytes are read at a time, each on a connection of its own; others wait. Default 16. */
  readonly reads?: number | undefined;
  /** Cuts every request, now and later: each rejects with the signal's reason. */
  readonly cut?: AbortSignal | undefined;
  /** Has the connections, for several buckets; whoever made it closes it. Default: a client of the bucket's own. */
  readonly client?: S3Client | undefined;
}

/** The SDK's own options of a request. */
interface SendOptions {
  readonly abortSignal?: AbortSignal;
}

type Send<T> = (client: S3Client, options: SendOptions | undefined) => Promise<T>;

/**
 * One bucket, and the rules of every request to it. What goes through here rejects with an IsyncError (see errors.ts),
 * or with the reason of the signal. At most {@link CONNECTIONS} requests are signed and sent at a time; the others wait
 * before that. The SDK tries a request again a few times; nothing else here does.
 *
 * Dispose of it to close its connections; requests under way then fail.
 */
export class Bucket implements Disposable {
  readonly name: string;
  /** The bucket and its server, for people. */
  readonly where: string;
  readonly page: number;
  /** Gives places to answers whose body is being read: such an answer holds its connection until its last byte. */
  readonly reads: Limiter;
  readonly #client: S3Client;
  readonly #ownsClient: boolean;
  readonly #limiter = new Limiter(CONNECTIONS);
  readonly #cut: AbortSignal | undefined;
  /** By the caller's signal, of which many requests have the same one. */
  readonly #combined = new WeakMap<AbortSignal, AbortSignal>();

  constructor(access: S3Access, { page = PAGE, reads = READS, cut, client }: BucketOptions = {}) {
    this.name = access.bucket;
    this.where = `s3://${access.bucket}${access.endpoint === undefined ? '' : ` at ${access.endpoint}`}`;
    this.page = page;
    this.reads = new Limiter(reads);
    this.#client = client ?? createS3Client(access, CONNECTIONS + reads);
    this.#ownsClient = client === undefined;
    this.#cut = cut;
  }

  [Symbol.dispose](): void {
    if (this.#ownsClient) this.#client.destroy();
  }

  /** Makes one request when it is its turn. */
  send<T>(request: RequestOptions, send: Send<T>): Promise<T> {
    const signal = this.signalFor(request);
    return this.guard(request, () =>
      this.#limiter.run(() => send(this.#client, signal && { abortSignal: signal })),
    );
  }

  /** The same; undefined where the server answers that there is no such object or upload. */
  sendUnlessAbsent<T>(request: RequestOptions, send: Send<T>): Promise<T | undefined> {
    return this.send(request, async (client, options) => {
      try {
        return await send(client, options);
      } catch (error) {
        if (isAbsent(error)) return undefined;
        throw error;
      }
    });
  }

  /** Runs `run`, and rejects as every request does. */
  async guard<T>(request: RequestOptions, run: () => Promise<T>): Promise<T> {
    const signal = this.signalFor(request);
    signal?.throwIfAborted();
    try {
      return await run();
    } catch (error) {
      signal?.throwIfAborted();
      throw s3Error(error, this.where, request.path);
    }
  }

  /** What ends a request: its own signal, or the cut of the whole bucket. */
  signalFor({ signal }: RequestOptions): AbortSignal | undefined {
    if (signal === undefined || this.#cut === undefined) return signal ?? this.#cut;
    let either = this.#combined.get(signal);
    if (either === undefined) {
      either = AbortSignal.any([signal, this.#cut]);
      this.#combined.set(signal, either);
    }
    return either;
  }

  /**
   * The pages of a listing, one after the other, each asked for when the one before has been taken.
   * @param fetch the page after `mark`, or the first
   * @param nextOf the mark of the page after `page`; undefined where it is the last
   * @throws IsyncError STORE_FAILED when the server tells the same page again: it must not keep us for ever
   */
  async *pages<Page, Mark extends { readonly [field: string]: string | undefined }>(
    fetch: (mark: Mark | undefined) => Promise<Page>,
    nextOf: (page: Page) => Mark | undefined,
  ): AsyncGenerator<Page> {
    let mark: Mark | undefined;
    do {
      const page = await fetch(mark);
      yield page;
      const next = nextOf(page);
      if (next !== undefined && JSON.stringify(next) === JSON.stringify(mark))
        throw new IsyncError('STORE_FAILED', `a listing of ${this.where} does not come forward`, {
          retryable: true,
        });
      mark = next;
    } while (mark !== undefined);
  }
}
