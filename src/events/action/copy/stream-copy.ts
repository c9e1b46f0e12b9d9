import { createHash } from 'node:crypto';
import type { ByteBudget } from '../../../flow/byte-budget.ts';
import { Scavenger } from '../../../flow/scavenger.ts';
import { IsyncError } from '../../../model/isync-error.ts';
import { hasMd5, type ObjectFacts } from '../../../s3/look.ts';
import type { ObjectAttributes } from '../../../s3/object-attributes.ts';
import type { Body } from '../../../s3/objects.ts';
import type { CopiedTags } from './copied-tags.ts';
import type { CopyLimits } from './copy-options.ts';
import type { NewKeys } from './new-keys.ts';
import { copyParts } from './parts-copy.ts';
import { readExactly } from './read-exactly.ts';
import type { SourceBuckets, Where } from './source-buckets.ts';
import type { There } from './source-look.ts';
import type { TargetBucket } from './target-bucket.ts';

/** Below this size an object is put before it is known whether the target has it: it may be sent in vain. */
const SMALL_BYTES = 1024 * 1024;

export interface StreamNeeds {
  readonly source: SourceBuckets;
  readonly target: TargetBucket;
  readonly tags: CopiedTags;
  readonly newKeys: NewKeys;
  /** What all copies hold in memory. */
  readonly budget: ByteBudget;
  readonly limits: CopyLimits;
}

/** Copies objects through our memory, from one server to another. */
export class StreamCopy {
  readonly #needs: StreamNeeds;
  /** Bytes come in pieces of the network's, which are copied. */
  readonly #scavenger = new Scavenger();

  constructor(needs: StreamNeeds) {
    this.#needs = needs;
  }

  /** Whether a copy is made of parts: then its ETag is another one. */
  isInParts({ size }: ObjectFacts): boolean {
    return size > this.#needs.limits.wholeBytes;
  }

  /**
   * @param attributes what the copy is given beside its bytes and tags
   * @returns the ETag that the copy should have
   * @throws IsyncError FILE_CHANGED, retryable, where another version has taken its place; DIGEST_MISMATCH, not retryable,
   * where the bytes are not those of the object; and what both sides reject with
   */
  async copy(
    where: Where,
    key: string,
    there: There,
    attributes: ObjectAttributes,
    signal: AbortSignal,
  ): Promise<string> {
    const { object, content } = there;
    const { tags, target, newKeys } = this.#needs;
    if (this.isInParts(object)) {
      // Its bytes come in ranges instead.
      content?.[Symbol.dispose]();
      const needs = { ...this.#needs, scavenger: this.#scavenger };
      return await unlessDamaged(where, () =>
        tags.with(where, object, signal, (tags) =>
          copyParts(where, key, object, { ...attributes, tags }, needs, signal),
        ),
      );
    }
    return await this.#whole(where, there, signal, async (body) => {
      const { etag } = await tags.with(where, object, signal, (tags) =>
        target.put(key, body, { ...attributes, tags }, signal),
      );
      if (object.size < SMALL_BYTES)
        await newKeys.learn(() => target.putIfAbsent(key, body, attributes, signal));
      return etag;
    });
  }

  /** Whether an object may be put by {@link copyNew}. */
  isSmall({ size, tagCount }: ObjectFacts): boolean {
    return size < SMALL_BYTES && tagCount === 0;
  }

  /** The same for a small object, unless the target has something under the key. */
  async copyNew(
    where: Where,
    key: string,
    there: There,
    attributes: ObjectAttributes,
    signal: AbortSignal,
  ): Promise<string | undefined> {
    const { target } = this.#needs;
    return await this.#whole(where, there, signal, async (body) => {
      const put = await target.putIfAbsent(key, body, attributes, signal);
      return typeof put === 'string' ? undefined : put.etag;
    });
  }

  async #whole<T>(
    where: Where,
    there: There,
    signal: AbortSignal,
    put: (body: Body) => Promise<T>,
  ): Promise<T> {
    const { object } = there;
    return await unlessDamaged(where, async () => {
      using whole = await this.#read(where, there, signal);
      const { bytes } = whole;
      const md5 = createHash('md5').update(bytes).digest();
      if (hasMd5(object) && md5.toString('hex') !== object.etag)
        throw new IsyncError(
          'DIGEST_MISMATCH',
          `MD5 of the bytes is ${md5.toString('hex')}, that of the object ${object.etag}`,
        );
      return await put({ bytes, md5: md5.toString('base64') });
    });
  }

  async #read(
    where: Where,
    { object, content }: There,
    signal: AbortSignal,
  ): Promise<Disposable & { readonly bytes: Buffer }> {
    const { budget } = this.#needs;
    const held = budget.tryTake(object.size);
    if (held === undefined) {
      // A connection that nobody reads from would be cut meanwhile.
      content?.[Symbol.dispose]();
      return await this.#readInto(await budget.take(object.size), () => this.#bytes(where, object, signal));
    }
    return await this.#readInto(held, () =>
      content === undefined
        ? this.#bytes(where, object, signal)
        : readExactly(content, { etag: object.etag, length: object.size }, this.#scavenger),
    );
  }

  async #readInto(held: Disposable, read: () => Promise<Buffer>) {
    try {
      return { bytes: await read(), [Symbol.dispose]: () => held[Symbol.dispose]() };
    } catch (error) {
      held[Symbol.dispose]();
      throw error;
    }
  }

  async #bytes(where: Where, { size, etag }: ObjectFacts, signal: AbortSignal): Promise<Buffer> {
    signal.throwIfAborted();
    // There is no range of nothing.
    if (size === 0) return Buffer.alloc(0);
    const content = await this.#needs.source.range(where, { ifMatch: etag, start: 0, end: size }, signal);
    return await readExactly(content, { etag, length: size }, this.#scavenger);
  }
}

/** Bytes that were damaged on their way are right at the next try. Where they never are, the tries must be counted to end. */
async function unlessDamaged<T>({ bucket, key }: Where, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    if (!(error instanceof IsyncError) || error.code !== 'DIGEST_MISMATCH') throw error;
    throw new IsyncError('DIGEST_MISMATCH', error.message, {
      path: `${bucket}/${key}`,
      retryable: false,
      cause: error.cause,
      hint: 'Compare the object with where it came from. A server whose ETags look like MD5 and are none can not be copied from.',
    });
  }
}
