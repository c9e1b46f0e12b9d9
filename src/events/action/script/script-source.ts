import { answerIn, statusOf } from '../../../s3/errors.ts';
import { lookAtHead, lookAtObject, type LookOptions, type ObjectFacts } from '../../../s3/look.ts';
import { refusalOf } from '../../../s3/refusals.ts';
import type { Bucket } from '../../../s3/requests.ts';
import type { Task } from '../action.ts';
import type { BucketPool } from '../bucket-pool.ts';
import type { KeyState } from '../look-twice.ts';
import type { Outcome } from '../outcome.ts';
import { GRANT_READ, readRefusal, refused } from '../refused-look.ts';

/** How a key is in its bucket. `unless` is what comes of an event where that does not mean that its object was removed. */
export type Seen =
  Extract<KeyState, { kind: 'there' }> | { readonly kind: 'gone'; readonly unless?: Outcome | undefined };

/** Where the objects are whose events a script is run for. */
export interface ScriptSource {
  /**
   * How the key of an event is now.
   * @throws IsyncError STORE_REFUSED, not retryable, where reading is not allowed; else what the bucket rejects with
   */
  look(task: Pick<Task, 'event' | 'isLastLook'>, signal: AbortSignal): Promise<Seen>;
}

/** Asks the buckets themselves: by HEAD, and where that finds nothing by GET, whose answer has S3's own words for it. */
export function bucketSource(
  buckets: BucketPool,
  rules: Pick<LookOptions, 'bucketOwner' | 'requestPayer'> = {},
): ScriptSource {
  return {
    look: async (task, signal) => {
      const { bucket, key, region } = task.event;
      try {
        const { etag, versionId } = await buckets.use(bucket, region, (each) =>
          look(each, key, { ...rules, signal }),
        );
        return { kind: 'there', etag, versionId };
      } catch (error) {
        return goneOr(error, task);
      }
    },
  };
}

async function look(
  bucket: Bucket,
  key: string,
  options: LookOptions,
): Promise<Pick<ObjectFacts, 'etag' | 'versionId'>> {
  try {
    return await lookAtHead(bucket, key, options);
  } catch (error) {
    if (!WITHOUT_WORDS.has(statusOf(answerIn(error)))) throw error;
  }
  const object = await lookAtObject(bucket, key, options);
  if (object === 'same') throw new Error('304 to a GET without a condition');
  object[Symbol.dispose]();
  return object;
}

/** The answer to a HEAD has no body that tells why. */
const WITHOUT_WORDS: ReadonlySet<unknown> = new Set([400, 403, 404]);

function goneOr(error: unknown, task: Pick<Task, 'event' | 'isLastLook'>): Seen {
  const refusal = refusalOf(error);
  if (refusal === undefined) throw error;
  const read = readRefusal(refusal, error, task);
  if (read.kind === 'done') return { kind: 'gone', unless: read.outcome };
  // It may be there and forbidden: a script that removes is not run for that.
  if (read.kind === 'told' && !read.isMissing) throw refused(error, GRANT_READ);
  return { kind: 'gone' };
}
