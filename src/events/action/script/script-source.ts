import { answerIn, statusOf } from '../../../s3/errors.ts';
import { lookAtObject } from '../../../s3/look.ts';
import { headObject } from '../../../s3/objects.ts';
import { refusalOf } from '../../../s3/refusals.ts';
import { IsyncError } from '../../../model/isync-error.ts';
import type { ObjectEvent } from '../../object-event.ts';
import type { BucketPool } from '../bucket-pool.ts';
import type { KeyState } from '../look-twice.ts';

/** How a key is in its bucket. */
export type Seen =
  | Extract<KeyState, { kind: 'there' }>
  /** `isTold`: by the bucket itself. Else all we know is that there is nothing that we may see: an event of a removal settles it. */
  | { readonly kind: 'gone'; readonly isTold: boolean };

/** Where the objects are whose events a script is run for. */
export interface ScriptSource {
  /**
   * How the key of an event is now.
   * @throws IsyncError STORE_REFUSED, not retryable, where reading is not allowed; else what the bucket rejects with
   */
  look(event: ObjectEvent, signal: AbortSignal): Promise<Seen>;
}

export interface BucketSourceOptions {
  /** The id of the account that must own every bucket. */
  readonly bucketOwner?: string | undefined;
  /** Agrees to pay for requests. Default false. */
  readonly requestPayer?: boolean | undefined;
}

/** Asks the buckets themselves: by HEAD, and where that finds nothing by GET, whose answer has S3's own words for it. */
export function bucketSource(buckets: BucketPool, options: BucketSourceOptions = {}): ScriptSource {
  return {
    look: async ({ bucket, key, region }, signal) =>
      await buckets.use(bucket, region, async (each) => {
        const head = await headObject(each, key, { ...options, signal }).catch((error: unknown) => {
          // Without a body nothing tells what is refused.
          if (WITHOUT_WORDS.has(statusOf(answerIn(error)))) return undefined;
          throw error;
        });
        if (head !== undefined) return { kind: 'there', etag: head.etag, versionId: head.versionId };
        try {
          const object = await lookAtObject(each, key, { ...options, signal });
          if (object === 'same')
            throw new IsyncError('INTERNAL', 'an unconditional look was answered by 304');
          object[Symbol.dispose]();
          return { kind: 'there', etag: object.etag, versionId: object.versionId };
        } catch (error) {
          return goneOr(error);
        }
      }),
  };
}

const WITHOUT_WORDS: ReadonlySet<unknown> = new Set([400, 403]);

function goneOr(error: unknown): Seen {
  const refusal = refusalOf(error);
  if (refusal === undefined) throw error;
  if (refusal === 'no such key') return { kind: 'gone', isTold: true };
  if (refusal === 'may not list') return { kind: 'gone', isTold: false };
  throw refused(error, HINTS[refusal]);
}

const HINTS = {
  denied:
    'Grant s3:GetObject on the keys, and s3:ListBucket on the bucket: without that one S3 answers a missing key with 403.',
  'no encryption key': 'Grant kms:Decrypt on the key of KMS that the object is encrypted with.',
  'customer key': 'The object is encrypted with a key of the customer (SSE-C), which isync has not.',
  archived: 'The object is in an archive, and its store tells nothing about it until it is restored.',
} as const;

function refused(error: unknown, hint: string): IsyncError {
  const { message, path } = error instanceof IsyncError ? error : { message: String(error), path: undefined };
  return new IsyncError('STORE_REFUSED', message, { path, hint, retryable: false, cause: error });
}
