import { type LookedAt, lookAtObject, type LookOptions, type RangeOptions } from '../../../s3/look.ts';
import { type Refusal, refusalOf } from '../../../s3/refusals.ts';
import type { ObjectEvent } from '../../object-event.ts';
import type { KnownObject } from '../../state/pull-state.ts';
import { AccessProof } from './access-proof.ts';
import type { ActionOptions } from './actions.ts';
import { isNotOlder } from './known-from.ts';
import type { Outcome } from '../outcome.ts';
import { readRangeOf } from '../range-of.ts';
import { GRANT_READ, readRefusal, refused } from '../refused-look.ts';
import type { Task } from './task.ts';
import { LARGE_BYTES, SMALL_BYTES } from './write-object.ts';

/** What a look at a key has told. */
export type Looked =
  /** The version that is here already. */
  | { readonly kind: 'same' }
  /** Dispose of the object. */
  | { readonly kind: 'found'; readonly object: LookedAt }
  /** Certainly: there is no such object. */
  | { readonly kind: 'gone' }
  | { readonly kind: 'done'; readonly outcome: Outcome };

type Where = Pick<ObjectEvent, 'bucket' | 'key'> & Partial<Pick<ObjectEvent, 'region'>>;

/** Asks the bucket how a key is now, and tells what its answer means. */
export class KeyLook {
  readonly #options: ActionOptions;
  readonly #proof: AccessProof;

  constructor(options: ActionOptions) {
    this.#options = options;
    this.#proof = new AccessProof(options.state, (witness) => this.#canRead(witness));
  }

  /**
   * @param etag of the version that is here
   * @throws IsyncError STORE_REFUSED, not retryable, where reading is not allowed; else what the bucket rejects with
   */
  async at(
    task: Task,
    etag: string | undefined,
    known: KnownObject | undefined,
    signal: AbortSignal,
  ): Promise<Looked> {
    const { event, mapping } = task;
    try {
      const ifNoneMatch = etag === '' ? undefined : etag;
      // What was removed is most likely gone, and the SDK alone tells that.
      const isQuick = event.kind === 'created';
      const sizes = event.size !== undefined && isBetween(event.size) ? undefined : SIZES;
      const object = await this.#get(event, { ifNoneMatch, signal, path: task.path, isQuick, sizes });
      this.#proof.read(event.bucket, mapping.prefix, event.key);
      return object === 'same' ? { kind: 'same' } : { kind: 'found', object };
    } catch (error) {
      const refusal = refusalOf(error);
      if (refusal === undefined) throw error;
      return await this.#refused(task, refusal, error, known);
    }
  }

  /** Reads some bytes of just one version. Rejects with FILE_CHANGED also where the object is gone by now. */
  async range(
    where: Where,
    into: Uint8Array,
    options: RangeOptions,
    passed: (bytes: number) => void,
  ): Promise<void> {
    await this.#options.buckets.use(where.bucket, where.region, (bucket) =>
      readRangeOf(bucket, where.key, into, { ...options, ...this.#common() }, passed),
    );
  }

  /** Whether the object store itself says that it has no such object. */
  async isGone(where: KnownObject, signal: AbortSignal): Promise<boolean> {
    try {
      const object = await this.#get(where, { ifNoneMatch: where.etag, signal });
      if (object !== 'same') object[Symbol.dispose]();
      return false;
    } catch (error) {
      const refusal = refusalOf(error);
      if (refusal === undefined) throw error;
      return refusal === 'no such key' || refusal === 'may not list';
    }
  }

  async #canRead(witness: KnownObject): Promise<boolean> {
    try {
      const object = await this.#get(witness, { ifNoneMatch: witness.etag });
      if (object !== 'same') object[Symbol.dispose]();
      return true;
    } catch (error) {
      const refusal = refusalOf(error);
      if (refusal === undefined) throw error;
      // The words of a store that lets us read.
      return refusal === 'no such key' || refusal === 'archived' || refusal === 'may not list';
    }
  }

  async #get({ bucket, key, region }: Where, options: LookOptions): Promise<LookedAt | 'same'> {
    return await this.#options.buckets.use(bucket, region, (each) =>
      lookAtObject(each, key, { ...options, ...this.#common() }),
    );
  }

  #common(): Pick<LookOptions, 'bucketOwner' | 'requestPayer'> {
    const { bucketOwner, requestPayer } = this.#options;
    return { bucketOwner, requestPayer };
  }

  async #refused(
    task: Task,
    refusal: Refusal,
    error: unknown,
    known: KnownObject | undefined,
  ): Promise<Looked> {
    const read = readRefusal(refusal, error, task);
    if (read.kind !== 'told') return read;
    // A folder that was removed as a whole looks the same: no other key of it can be read.
    if (
      !read.isMissing &&
      (await this.#proof.of(task.event.bucket, task.mapping.prefix, task.event.key)) === 'refused'
    )
      throw refused(error, GRANT_LIST);
    return believed(task, error, known);
  }
}

/** As writeObject takes them. */
const SIZES = { whole: SMALL_BYTES, most: LARGE_BYTES };

/** Such an object would be asked for twice. */
function isBetween(bytes: number): boolean {
  return bytes > SIZES.whole && bytes <= SIZES.most;
}

const UNCHANGED: Looked = { kind: 'done', outcome: { outcome: 'unchanged' } };

const GRANT_LIST =
  'Grant s3:ListBucket on the bucket: then S3 itself says what is gone. Without it, a prefix whose keys are all removed at once looks like one that may not be read; if it may not, grant s3:GetObject on the keys. Then take what was parked again.';

/** An event is all that tells a missing key from a forbidden one: it must be about what is here, or about what came after. */
function believed({ event }: Task, error: unknown, known: KnownObject | undefined): Looked {
  if (known === undefined) return { kind: 'gone' };
  if (isNotOlder(event, known)) return { kind: 'gone' };
  if (event.sequencer === undefined && event.timeMs === undefined) throw refused(error, GRANT_READ);
  return UNCHANGED;
}
