import type { ObjectContent, ObjectHead } from '../../../s3/content.ts';
import { answerIn, isNoSuchKey, statusOf } from '../../../s3/errors.ts';
import { lookAtHead, lookAtObject } from '../../../s3/look.ts';
import { listObjects, type ListedObject } from '../../../s3/objects.ts';
import type { Bucket } from '../../../s3/requests.ts';
import type { MirrorRule, OriginAddress } from '../../rule.ts';
import { Deadlines } from '../deadlines.ts';
import { type Origin, type OriginAnswer, OriginError, type OriginKey } from '../origin.ts';
import { s3Fault } from './s3-fault.ts';

/** What an origin in a bucket needs of its rule. */
export type S3OriginRule = Pick<MirrorRule, 'keeps' | 'takesType' | 'maxSize' | 'timeouts'>;

type S3Place = Pick<Extract<OriginAddress, { kind: 's3' }>, 'bucket' | 'prefix'>;

/** What is said of an object without a type, by S3 itself. */
const NO_TYPE = 'binary/octet-stream';

/** An old bucket. Queries go nowhere. Only S3's own NoSuchKey says that there is no object. */
export class S3Origin implements Origin {
  readonly name: string;
  readonly #bucket: Bucket;
  readonly #prefix: string;
  readonly #rule: S3OriginRule;

  /** @param bucket is the caller's to dispose of; its `reads` are at least as many as the rule's `concurrency` */
  constructor(bucket: Bucket, { bucket: name, prefix }: S3Place, rule: S3OriginRule) {
    // With its server: two of them may have buckets of one name, of which one may be away.
    this.name = `s3://${name}/${prefix}${bucket.where.slice(`s3://${name}`.length)}`;
    this.#bucket = bucket;
    this.#prefix = prefix;
    this.#rule = rule;
  }

  urlOf(): undefined {
    return undefined;
  }

  async ask(method: 'GET' | 'HEAD', { key }: OriginKey, signal: AbortSignal): Promise<OriginAnswer> {
    const name = this.#prefix + key;
    if (name === '') return { kind: 'absent' };
    const deadlines = new Deadlines(this.name, this.#rule.timeouts, signal);
    try {
      const found = await this.#look(method, name, deadlines);
      return found === undefined ? this.#absent(deadlines) : this.#found(found, deadlines);
    } catch (error) {
      deadlines[Symbol.dispose]();
      throw error;
    }
  }

  /** Entries of one answer of a listing. */
  get page(): number {
    return this.#bucket.page;
  }

  /**
   * Every object whose key begins with `start`, in the bucket's order, by the key that {@link ask} takes.
   * @param behind the key behind which the listing begins
   * @throws IsyncError
   */
  async *list(signal?: AbortSignal, start = '', behind?: string): AsyncGenerator<ListedObject> {
    const startAfter = behind === undefined ? undefined : this.#prefix + behind;
    for await (const object of listObjects(this.#bucket, this.#prefix + start, { signal, startAfter }))
      yield { ...object, key: object.key.slice(this.#prefix.length) };
  }

  /** Undefined where S3 says that there is none. */
  async #look(
    method: 'GET' | 'HEAD',
    key: string,
    deadlines: Deadlines,
  ): Promise<ObjectHead | ObjectContent | undefined> {
    const { connect, firstByte } = this.#rule.timeouts;
    const ms = connect + firstByte;
    const options = { signal: deadlines.signal };
    try {
      return await deadlines.within(ms, `has not answered within ${ms} ms`, async () => {
        if (method === 'HEAD') return await headOf(this.#bucket, key, options);
        const object = await lookAtObject(this.#bucket, key, options);
        return object === 'same' ? undefined : object;
      });
    } catch (error) {
      deadlines.signal.throwIfAborted();
      if (isNoSuchKey(error)) return undefined;
      throw s3Fault(this.name, error, false);
    }
  }

  #absent(deadlines: Deadlines): OriginAnswer {
    deadlines[Symbol.dispose]();
    return { kind: 'absent' };
  }

  #found(found: ObjectHead | ObjectContent, deadlines: Deadlines): OriginAnswer {
    const { keeps, takesType, maxSize } = this.#rule;
    const { size, etag, modifiedMs, headers, metadata } = found;
    const content = 'bytes' in found ? found : undefined;
    if (size > maxSize) {
      content?.[Symbol.dispose]();
      throw new OriginError(302, `${this.name} has an object over ${maxSize} bytes`);
    }
    const type = ((headers.contentType ?? NO_TYPE).split(';', 1)[0] ?? '').trim().toLowerCase();
    const kept = Object.entries(metadata).filter(([name]) => keeps(`x-amz-meta-${name}`));
    if (content === undefined) deadlines[Symbol.dispose]();
    return {
      kind: 'found',
      size,
      etag: etag === '' ? undefined : `"${etag}"`,
      modifiedMs,
      headers,
      metadata: Object.fromEntries(kept),
      notKept: takesType(type) ? undefined : `the rule takes no ${type}`,
      bytes: content === undefined ? nothing() : this.#read(content, deadlines),
      [Symbol.dispose]: () => {
        deadlines[Symbol.dispose]();
        content?.[Symbol.dispose]();
      },
    };
  }

  async *#read(content: ObjectContent, deadlines: Deadlines): AsyncGenerator<Uint8Array> {
    const { idle } = this.#rule.timeouts;
    const pieces = content.bytes[Symbol.asyncIterator]();
    try {
      for (;;) {
        const { done, value } = await deadlines.within(idle, `has sent nothing for ${idle} ms`, () =>
          pieces.next(),
        );
        if (done === true) return;
        yield value;
      }
    } catch (error) {
      deadlines.signal.throwIfAborted();
      throw s3Fault(this.name, error, true);
    } finally {
      deadlines[Symbol.dispose]();
      content[Symbol.dispose]();
    }
  }
}

/** A HEAD that finds nothing doesn't say why: its answer has no body. The answer to a GET does. */
async function headOf(
  bucket: Bucket,
  key: string,
  options: { readonly signal: AbortSignal },
): Promise<ObjectHead> {
  try {
    return await lookAtHead(bucket, key, options);
  } catch (error) {
    if (statusOf(answerIn(error)) !== 404) throw error;
  }
  const object = await lookAtObject(bucket, key, options);
  if (object === 'same') throw new Error('no condition was given');
  object[Symbol.dispose]();
  const { size, modifiedMs, etag, metadata, headers } = object;
  return { size, modifiedMs, etag, metadata, headers };
}

// oxlint-disable-next-line require-yield
async function* nothing(): AsyncGenerator<Uint8Array> {}
