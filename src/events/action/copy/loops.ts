import { answerIn, statusOf } from '../../../s3/errors.ts';
import type { ObjectFacts } from '../../../s3/look.ts';
import type { Task } from '../action.ts';
import type { Outcome } from '../outcome.ts';
import { parked } from '../parked.ts';
import type { CopyRoute, CopyTarget } from './copy-options.ts';
import { isCopyOf } from './same-object.ts';
import type { SourceBuckets } from './source-buckets.ts';
import { isObject, type Kept, type TargetBucket } from './target-bucket.ts';

type CopyTask = Task<CopyRoute>;

/** Finds objects that are copies already, on a way that would never end. */
export class Loops {
  readonly #options: CopyTarget;
  readonly #source: SourceBuckets;
  readonly #target: TargetBucket;

  constructor(options: CopyTarget, source: SourceBuckets, target: TargetBucket) {
    this.#options = options;
    this.#source = source;
    this.#target = target;
  }

  /** Whether an event may be of such an object, as far as its key tells: then nothing is copied before that is known. */
  mayBe({ bucket, key }: Pick<CopyTask['event'], 'bucket' | 'key'>): boolean {
    return this.#mayBeItself(bucket, key) || roundBefore(key, this.#options.prefix) !== undefined;
  }

  /** What comes of an event about one; undefined for all others. */
  async outcome(
    task: CopyTask,
    object: ObjectFacts,
    kept: Kept,
    signal: AbortSignal,
  ): Promise<Outcome | undefined> {
    if (await this.#isItself(task, object, kept, signal)) return ITSELF;
    return (await this.#cameBack(task, object, signal)) ? CAME_BACK : undefined;
  }

  #mayBeItself(bucket: string, key: string): boolean {
    return bucket === this.#options.bucket && key.startsWith(this.#options.prefix);
  }

  /**
   * Whether the target's server is that of the source under another name, and this key is below the prefix of the copies: an
   * object that is found under the same name on both, put at the same time, is one object.
   */
  async #isItself(
    { event, target: { key } }: CopyTask,
    object: ObjectFacts,
    kept: Kept,
    signal: AbortSignal,
  ): Promise<boolean> {
    if (!this.#mayBeItself(event.bucket, event.key)) return false;
    const there = key === event.key ? kept : await this.#target.head(event.key, signal);
    return isObject(there) && there.etag === object.etag && there.modifiedMs === object.modifiedMs;
  }

  /** Whether another webhook copies our copies back: then the object one round before has the same bytes, and so has the source. */
  async #cameBack({ event }: CopyTask, object: ObjectFacts, signal: AbortSignal): Promise<boolean> {
    const key = roundBefore(event.key, this.#options.prefix);
    if (key === undefined) return false;
    try {
      return isCopyOf(object, await this.#source.head({ ...event, key }, signal));
    } catch (error) {
      const status = statusOf(answerIn(error));
      if (status === 404 || status === 403 || status === 400) return false;
      throw error;
    }
  }
}

/**
 * The key of which `key` is a copy of a copy, where two webhooks copy to each other. Each round puts the same text in front, and
 * `prefix` is the end of it: of `q/p/q/p/k` that is `q/p/k`.
 */
export function roundBefore(key: string, prefix: string): string | undefined {
  if (prefix === '') return undefined;
  for (let at = key.indexOf(prefix); at >= 0; at = key.indexOf(prefix, at + 1)) {
    const round = key.slice(0, at + prefix.length);
    if (key.startsWith(round, round.length)) return key.slice(round.length);
  }
  return undefined;
}

const ITSELF: Outcome = parked(
  'PATH_CONFLICT',
  'the object is below the prefix of the copies: source and target are one server, under two names',
  'Copy to another bucket, or from one prefix to another that is not inside it; a copy of a copy would never end.',
);

const CAME_BACK: Outcome = parked(
  'PATH_CONFLICT',
  'the object is a copy of a copy of it: something copies what is copied back',
  'Two webhooks copy to each other. Let one of them follow a prefix below which the other puts nothing; a copy of a copy would never end.',
);
