import { answerIn, nameOf, statusOf } from '../../../s3/errors.ts';
import type { ObjectFacts } from '../../../s3/look.ts';
import type { Log } from '../../../model/log.ts';
import type { SourceBuckets, Where } from './source-buckets.ts';
import type { TargetBucket } from './target-bucket.ts';

export type Tags = Readonly<Record<string, string>>;

/** Tags follow where both sides let them: else objects are copied without, and the log has why, once a side. */
export class CopiedTags {
  readonly #source: SourceBuckets;
  readonly #target: TargetBucket;
  readonly #log: Log;
  #isSourceShut = false;
  #isTargetShut = false;

  constructor(source: SourceBuckets, target: TargetBucket, log: Log) {
    this.#source = source;
    this.#target = target;
    this.#log = log;
  }

  /** Makes an object with the tags of another one: `make` is called again without them where they may be what is refused. */
  async with<T>(
    where: Where,
    { tagCount }: ObjectFacts,
    signal: AbortSignal,
    make: (tags: Tags | undefined) => Promise<T>,
  ): Promise<T> {
    const tags = tagCount === 0 || this.#isTargetShut ? undefined : await this.#tagsOf(where, signal);
    if (tags === undefined) return await make(undefined);
    try {
      return await make(tags);
    } catch (error) {
      if (!isRefused(error)) throw error;
      const made = await make(undefined);
      this.#shutTarget(error);
      return made;
    }
  }

  /** Not every server keeps tags that were given to a multipart upload: gives them to the copy. */
  async complete(
    where: Where,
    { tagCount }: ObjectFacts,
    copy: { readonly key: string; readonly tagCount: number },
    signal: AbortSignal,
  ): Promise<void> {
    if (copy.tagCount >= tagCount || this.#isTargetShut) return;
    const tags = await this.#tagsOf(where, signal);
    if (tags === undefined) return;
    try {
      await this.#target.putTags(copy.key, tags, signal);
    } catch (error) {
      if (!isRefused(error)) throw error;
      this.#shutTarget(error);
    }
  }

  #shutTarget(error: unknown): void {
    this.#isTargetShut = true;
    this.#log.warn('the target takes no tags: objects are copied without them', { err: error });
  }

  async #tagsOf(where: Where, signal: AbortSignal): Promise<Tags | undefined> {
    if (this.#isSourceShut) return undefined;
    try {
      return await this.#source.tags(where, signal);
    } catch (error) {
      if (!isRefused(error)) throw error;
      this.#isSourceShut = true;
      this.#log.warn('tags of the source can not be read: objects are copied without them', { err: error });
      return undefined;
    }
  }
}

/** Whether a server says that a request needs a right that we lack, or that it knows no such request. */
export function isRefused(error: unknown): boolean {
  const answer = answerIn(error);
  return nameOf(answer) === 'AccessDenied' || nameOf(answer) === 'NotImplemented' || statusOf(answer) === 501;
}
