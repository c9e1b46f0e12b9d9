import { answerIn, statusOf } from '../../../s3/errors.ts';
import type { LookedAt, ObjectFacts } from '../../../s3/look.ts';
import { type Refusal, refusalOf } from '../../../s3/refusals.ts';
import type { Task } from '../action.ts';
import type { Outcome } from '../outcome.ts';
import { readRefusal } from '../refused-look.ts';
import type { SourceBuckets } from './source-buckets.ts';
import type { Kept } from './target-bucket.ts';

/** Statuses of refusals whose reason stands in a body, and a HEAD has none. */
const REASONED: ReadonlySet<number | undefined> = new Set([400, 403, 404]);

/** How the object of a key is now. */
export type Seen =
  | There
  | {
      readonly kind: 'gone';
      /** That nobody but the event tells: see {@link readRefusal}. */
      readonly told?: Told;
    }
  /** There is nothing to do. */
  | { readonly kind: 'gone'; readonly outcome: Outcome };

export interface There {
  readonly kind: 'there';
  readonly etag: string;
  readonly versionId: string | undefined;
  readonly object: ObjectFacts;
  /** Where its bytes are coming already. Dispose of it. */
  readonly content?: LookedAt | undefined;
  /** What the target has under the key, where that is known. */
  readonly kept?: Kept | undefined;
  /** Whether it is put before that is known: see new-keys.ts. */
  readonly isLikelyNew?: boolean | undefined;
}

export interface Told {
  readonly error: unknown;
  /** S3 says that there is no object now; else, that we may not know. */
  readonly isMissing: boolean;
}

/** Asks how objects are now. */
export class SourceLook {
  readonly #buckets: SourceBuckets;

  constructor(buckets: SourceBuckets) {
    this.#buckets = buckets;
  }

  /**
   * @param bytes whether they are wanted
   * @throws IsyncError as {@link readRefusal}, and what the bucket rejects with
   */
  async first(task: Pick<Task, 'event' | 'isLastLook'>, bytes: boolean, signal: AbortSignal): Promise<Seen> {
    try {
      if (!bytes) return there(await this.#head(task, signal));
      const content = await this.#buckets.get(task.event, signal);
      return { ...there(content), content };
    } catch (error) {
      return refusedSight(refusalOf(error), error, task);
    }
  }

  /** After an object of just this key was seen. What S3 calls missing now has gone since: no event need say so. */
  async again(task: Pick<Task, 'event'>, signal: AbortSignal): Promise<Seen> {
    try {
      return there(await this.#head(task, signal));
    } catch (error) {
      const refusal = refusalOf(error);
      if (refusal === 'no such key' || refusal === 'may not list') return { kind: 'gone' };
      return refusedSight(refusal, error, { event: { kind: 'created' }, isLastLook: true });
    }
  }

  async #head({ event }: Pick<Task, 'event'>, signal: AbortSignal): Promise<ObjectFacts> {
    try {
      return await this.#buckets.head(event, signal);
    } catch (error) {
      if (!REASONED.has(statusOf(answerIn(error)))) throw error;
    }
    const object = await this.#buckets.get(event, signal);
    object[Symbol.dispose]();
    return object;
  }
}

/** @throws `error` where that is no word of the object store about the object */
function refusedSight(
  refusal: Refusal | undefined,
  error: unknown,
  task: Parameters<typeof readRefusal>[2],
): Seen {
  if (refusal === undefined) throw error;
  const read = readRefusal(refusal, error, task);
  if (read.kind === 'done') return { kind: 'gone', outcome: read.outcome };
  return read.kind === 'gone' ? read : { kind: 'gone', told: { error, isMissing: read.isMissing } };
}

function there(object: ObjectFacts): There {
  const { etag, versionId } = object;
  return { kind: 'there', etag, versionId, object };
}

/** Whether what was seen is still so. A version that has other metadata only may have the same ETag. */
export function isSameSight(before: Seen, after: Seen): boolean {
  if (before.kind !== 'there' || after.kind !== 'there') return before.kind === after.kind;
  return (
    before.etag === after.etag &&
    before.versionId === after.versionId &&
    before.object.modifiedMs === after.object.modifiedMs
  );
}
