import { IsyncError } from '../../../model/isync-error.ts';
import { isNoSuchKey } from '../../../s3/errors.ts';
import type { ObjectContent } from '../../../s3/content.ts';
import {
  getRange,
  type LookedAt,
  lookAtObject,
  type LookOptions,
  type RangeOptions,
} from '../../../s3/look.ts';
import { type Refusal, refusalOf } from '../../../s3/refusals.ts';
import type { ObjectEvent } from '../../object-event.ts';
import type { KnownObject } from '../../state/pull-state.ts';
import { AccessProof } from './access-proof.ts';
import type { ActionOptions } from './actions.ts';
import { isNotOlder } from './known-from.ts';
import type { Outcome } from '../outcome.ts';
import type { Task } from './task.ts';
import { parked } from '../parked.ts';

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
      const object = await this.#get(event, { ifNoneMatch, signal, path: task.path });
      this.#proof.read(event.bucket, mapping.prefix, event.key);
      return object === 'same' ? { kind: 'same' } : { kind: 'found', object };
    } catch (error) {
      const refusal = refusalOf(error);
      if (refusal === undefined) throw error;
      return await this.#refused(task, refusal, error, known);
    }
  }

  /** Some bytes of just one version. Rejects with FILE_CHANGED also where the object is gone by now. */
  async range(where: Where, options: RangeOptions): Promise<ObjectContent> {
    try {
      return await this.#options.buckets.use(where.bucket, where.region, (bucket) =>
        getRange(bucket, where.key, { ...options, ...this.#common() }),
      );
    } catch (error) {
      if (!isNoSuchKey(error)) throw error;
      throw new IsyncError('FILE_CHANGED', 'the object was removed meanwhile', {
        retryable: true,
        cause: error,
      });
    }
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
    const isRemoved = task.event.kind === 'removed';
    switch (refusal) {
      case 'no such key':
        return isRemoved || task.isLastLook ? { kind: 'gone' } : MISSING;
      case 'may not list':
        if (isRemoved) return believed(task, error, known);
        // The event of its removal is the one to act on.
        return task.isLastLook ? UNCHANGED : MISSING;
      case 'denied':
        if (!isRemoved) throw refused(error, GRANT_READ);
        // A folder that was removed as a whole looks the same: no other key of it can be read.
        if ((await this.#proof.of(task.event.bucket, task.mapping.prefix, task.event.key)) === 'refused')
          throw refused(error, GRANT_LIST);
        return believed(task, error, known);
      case 'no encryption key':
        throw refused(error, GRANT_KEY);
      case 'archived':
        return {
          kind: 'done',
          outcome: parked('FILE_UNREADABLE', 'archived: the object must be restored first', RESTORE),
        };
      case 'customer key':
        return {
          kind: 'done',
          outcome: parked('FILE_UNREADABLE', 'encrypted with a key of the customer (SSE-C)', COPY),
        };
    }
  }
}

const MISSING: Looked = { kind: 'done', outcome: { outcome: 'missing' } };
const UNCHANGED: Looked = { kind: 'done', outcome: { outcome: 'unchanged' } };

const GRANT_READ =
  'Grant s3:GetObject on the keys, and s3:ListBucket on the bucket: without that one S3 answers a missing key with 403.';
const GRANT_LIST =
  'Grant s3:ListBucket on the bucket: then S3 itself says what is gone. Without it, a prefix whose keys are all removed at once looks like one that may not be read; if it may not, grant s3:GetObject on the keys. Then: isync pull parked replay.';
const GRANT_KEY =
  'Grant kms:Decrypt on the key of KMS that the object is encrypted with, and see that the key is enabled.';
const RESTORE = 'Restore it (RestoreObject): the event ObjectRestore:Completed brings it here.';
const COPY = 'Copy the object onto itself with another encryption: isync has no key of customers.';

/** An event is all that tells a missing key from a forbidden one: it must be about what is here, or about what came after. */
function believed({ event }: Task, error: unknown, known: KnownObject | undefined): Looked {
  if (known === undefined) return { kind: 'gone' };
  if (isNotOlder(event, known)) return { kind: 'gone' };
  if (event.sequencer === undefined && event.timeMs === undefined) throw refused(error, GRANT_READ);
  return UNCHANGED;
}

function refused(error: unknown, hint: string): IsyncError {
  const { message, path } = error instanceof IsyncError ? error : { message: String(error), path: undefined };
  return new IsyncError('STORE_REFUSED', message, { path, hint, retryable: false, cause: error });
}
