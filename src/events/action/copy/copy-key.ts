import { IsyncError } from '../../../model/isync-error.ts';
import type { CopyAttributes } from '../../../s3/copy.ts';
import { hasMd5, type ObjectFacts } from '../../../s3/look.ts';
import { refusalOf } from '../../../s3/refusals.ts';
import type { Task } from '../action.ts';
import { lookTwice } from '../look-twice.ts';
import type { Outcome } from '../outcome.ts';
import { readRefusal, refused } from '../refused-look.ts';
import type { AbsentKeys } from './absent-keys.ts';
import type { CopiedTags } from './copied-tags.ts';
import type { CopyOptions, CopyRoute } from './copy-options.ts';
import type { ListedLooks } from './listed-looks.ts';
import type { Loops } from './loops.ts';
import type { NewKeys } from './new-keys.ts';
import { attributesFor, hasBytesOf, isCopyOf } from './same-object.ts';
import type { ServerCopy } from './server-copy.ts';
import { isSameSight, type Seen, type SourceLook, type There, type Told } from './source-look.ts';
import type { StreamCopy } from './stream-copy.ts';
import { isObject, type Kept, type TargetBucket } from './target-bucket.ts';

/** Copies of one version that the target may show otherwise than they were put; then the queue's delay comes between. */
const UNSOUND_COPIES = 3;

/** From this size on no bytes of an object are asked for before we know what the target has: they may not be needed. */
const UNASKED_BYTES = 1024 * 1024;

type CopyTask = Task<CopyRoute>;

/** What was done about a key. */
interface Step {
  readonly outcome: Outcome;
  /** Whether the target may have been changed: then the object is looked at again. */
  readonly wrote: boolean;
  /** Whether the target has what was put. */
  readonly isSound: boolean;
}

export interface CopyKeyNeeds {
  readonly options: CopyOptions;
  readonly look: SourceLook;
  readonly target: TargetBucket;
  readonly tags: CopiedTags;
  readonly newKeys: NewKeys;
  readonly absent: AbsentKeys;
  readonly listed: ListedLooks;
  readonly loops: Loops;
  readonly server: ServerCopy;
  readonly stream: StreamCopy;
}

/** Makes the copy of a key what its object is now. */
export class CopyKey {
  readonly #needs: CopyKeyNeeds;
  /** Whether the target's ETags are no MD5 where those of the source are: it has a key of KMS for all objects. */
  #hidesMd5: boolean;

  constructor(needs: CopyKeyNeeds) {
    this.#needs = needs;
    this.#hidesMd5 = needs.options.target.settings?.sse === 'aws:kms';
  }

  async run(task: CopyTask, signal: AbortSignal): Promise<Outcome> {
    const { look, options } = this.#needs;
    let step: Step | undefined;
    let written: Outcome | undefined;
    let unsound = 0;
    const outcome = await lookTwice<Seen, Outcome>({
      look: async (last) => {
        if (last === undefined || step === undefined) return await this.#firstLook(task, signal);
        // Whoever has changed nothing need not look again.
        return step.wrote ? await look.again(task, signal) : last;
      },
      act: async (seen) => {
        step = await this.#follow(task, seen, signal);
        if (step.outcome.outcome === 'written') written = step.outcome;
        if (!step.isSound && step.outcome.outcome === 'written' && ++unsound === UNSOUND_COPIES)
          throw otherThanPut(task);
        return step.outcome;
      },
      isSame: (before, after) => step?.isSound !== false && isSameSight(before, after),
      lookedAgain: options.lookedAgain ?? (() => {}),
    });
    return outcome.outcome === 'unchanged' ? (written ?? outcome) : outcome;
  }

  async #firstLook(task: CopyTask, signal: AbortSignal): Promise<Seen> {
    const { look, target, server, stream, newKeys, loops } = this.#needs;
    const { kind, bucket, size = 0 } = task.event;
    // What is gone says so in the answer to a GET only.
    if (kind === 'removed') return await look.first(task, true, signal);
    const isServers = server.mayCopy(bucket);
    const mayLoop = loops.mayBe(task.event);
    if (!isServers && size < UNASKED_BYTES && newKeys.isLikely && !mayLoop) {
      const seen = await look.first(task, true, signal);
      return seen.kind === 'there' ? { ...seen, isLikelyNew: stream.isSmall(seen.object) } : seen;
    }
    const isNew = isServers && !mayLoop && (await this.#isKnownNew(task, signal));
    const kept = isNew ? undefined : await target.head(task.target.key, signal);
    if (kept !== undefined) newKeys.found(kept !== 'nothing');
    if (isServers && !mayLoop && (isNew || kept === 'nothing')) {
      const seen = await this.#copyUnseen(task, signal);
      if (seen !== undefined) return seen;
    }
    const isLarge =
      size >= UNASKED_BYTES || (kept !== undefined && isObject(kept) && kept.size >= UNASKED_BYTES);
    const seen = await look.first(task, !isServers && !isLarge, signal);
    return seen.kind === 'there' ? { ...seen, kept } : seen;
  }

  /** Whether the target has been seen not to have the key. An event that comes again may have been done with meanwhile. */
  async #isKnownNew({ attempt, target: { key } }: CopyTask, signal: AbortSignal): Promise<boolean> {
    const { newKeys, absent } = this.#needs;
    return attempt === 1 && newKeys.areMany && (await absent.has(key, signal));
  }

  /** Has the server copy a new object before anybody has looked at it: what the copy is of is seen afterwards. */
  async #copyUnseen(task: CopyTask, signal: AbortSignal): Promise<Seen | undefined> {
    const { look, target, server, absent, listed } = this.#needs;
    const { event } = task;
    const { key } = task.target;
    if (this.#hidesMd5 || event.size === undefined || server.isInParts({ size: event.size }))
      return undefined;
    const { size } = event;
    const beganMs = performance.now();
    const copied = await listed.making(() => server.copyUnseen(event, key, size, signal));
    if (copied === undefined) return undefined;
    absent.put(key);
    const copy = { ...copied, event, key, tookMs: performance.now() - beganMs };
    const bytes = await listed.look(copy, () => task.leaveTurn?.(), signal);
    if (bytes !== undefined) return { kind: 'gone', outcome: { outcome: 'written', bytes } };
    const [kept, seen] = await Promise.all([target.head(key, signal), look.again(task, signal)]);
    if (seen.kind !== 'there') return seen;
    if (!isObject(kept) || !isCopyOf(kept, seen.object)) return { ...seen, kept };
    return { kind: 'gone', outcome: { outcome: 'written', bytes: kept.size } };
  }

  async #follow(task: CopyTask, seen: Seen, signal: AbortSignal): Promise<Step> {
    if (seen.kind === 'there')
      try {
        return await this.#copy(task, seen, signal);
      } finally {
        seen.content?.[Symbol.dispose]();
      }
    if ('outcome' in seen) return done(seen.outcome);
    return await this.#remove(task, seen.told, signal);
  }

  async #copy(task: CopyTask, there: There, signal: AbortSignal): Promise<Step> {
    const { target, stream, newKeys, loops } = this.#needs;
    const { key } = task.target;
    const { object } = there;
    try {
      if (there.isLikelyNew === true) {
        const attributes = attributesFor(object, this.#isMarked(object, false));
        const etag = await stream.copyNew(task.event, key, there, attributes, signal);
        newKeys.found(etag === undefined);
        if (etag !== undefined) return await this.#written(task, object, etag, signal);
      }
      const kept = there.kept ?? (await target.head(key, signal));
      // A put that was refused may be the second try of one that was done, and whose answer was lost.
      if (isObject(kept) && isCopyOf(kept, object))
        return { ...UNCHANGED, wrote: there.isLikelyNew === true };
      const loop = await loops.outcome(task, object, kept, signal);
      if (loop !== undefined) return done(loop);
      // Its bytes have been read by now, where it was taken for new.
      const unread = there.isLikelyNew === true ? { ...there, content: undefined } : there;
      return await this.#written(task, object, await this.#write(task, unread, signal), signal);
    } catch (error) {
      return afterFailure(error);
    }
  }

  /** Looks whether the target has what was put. */
  async #written(task: CopyTask, object: ObjectFacts, etag: string, signal: AbortSignal): Promise<Step> {
    const { target, tags, absent } = this.#needs;
    const { key } = task.target;
    absent.put(key);
    const now = await target.head(key, signal);
    const isSound = isObject(now) && isAsPut(now, object, etag);
    if (isSound && hasMd5(object) && now.etag !== object.etag) this.#hidesMd5 = true;
    if (isSound) await tags.complete(task.event, object, { key, tagCount: now.tagCount }, signal);
    return { outcome: { outcome: 'written', bytes: object.size }, wrote: true, isSound };
  }

  /** Resolves to the ETag that the copy should have. */
  async #write({ event, target: { key } }: CopyTask, there: There, signal: AbortSignal): Promise<string> {
    const { server, stream } = this.#needs;
    const { object } = there;
    if (server.mayCopy(event.bucket)) {
      const attributes = this.#isMarked(object, server.isInParts(object))
        ? attributesFor(object, true)
        : undefined;
      const etag = await server.copy(event, key, object, attributes, signal);
      if (etag !== undefined) return etag;
    }
    const isInParts = stream.isInParts(object);
    const attributes: CopyAttributes = attributesFor(object, this.#isMarked(object, isInParts));
    return await stream.copy(event, key, there, attributes, signal);
  }

  /** Whether the ETag of a copy will not tell what it was made of. */
  #isMarked(object: ObjectFacts, isInParts: boolean): boolean {
    return isInParts || this.#hidesMd5 || !hasMd5(object);
  }

  async #remove(task: CopyTask, told: Told | undefined, signal: AbortSignal): Promise<Step> {
    const { options, target } = this.#needs;
    const { key } = task.target;
    if (options.removals === false) return UNCHANGED;
    const kept = await target.find(key, signal);
    if (kept === 'nothing') return UNCHANGED;
    if (told !== undefined) checkBelievable(task, told, kept);
    await target.remove(key, signal);
    return { outcome: { outcome: 'removed' }, wrote: true, isSound: true };
  }
}

const UNCHANGED: Step = done({ outcome: 'unchanged' });

const GRANT_LIST =
  'Grant s3:ListBucket on the bucket: then S3 itself says what is gone. Else nothing tells whether the copy is of an object that was put after this removal.';

function done(outcome: Outcome): Step {
  return { outcome, wrote: false, isSound: true };
}

/** What is worth another look at once, or is for a person. */
function afterFailure(error: unknown): Step {
  if (error instanceof IsyncError && error.code === 'FILE_CHANGED')
    return { outcome: { outcome: 'unchanged' }, wrote: true, isSound: false };
  // Only an archived object is found, and can't be read.
  if (refusalOf(error) !== 'archived') throw error;
  const read = readRefusal('archived', error, { event: { kind: 'created' }, isLastLook: true });
  if (read.kind !== 'done') throw error;
  return done(read.outcome);
}

/**
 * An event alone says that the object is gone: what it is about must be no older than the copy.
 * @throws IsyncError STORE_REFUSED, not retryable, where that can't be known
 */
function checkBelievable({ event }: CopyTask, { error, isMissing }: Told, kept: Kept): void {
  const isLater = isObject(kept) && event.timeMs !== undefined && event.timeMs >= kept.modifiedMs;
  if (!isMissing || !isLater) throw refused(error, GRANT_LIST);
}

/** Whether the target shows what was put: the version of the answer, or one that says that it is of this object. */
function isAsPut(now: ObjectFacts, object: ObjectFacts, etag: string): boolean {
  if (now.size !== object.size) return false;
  if (hasMd5(now) && hasMd5(object)) return now.etag === object.etag;
  return now.etag === etag || hasBytesOf(now, object);
}

function otherThanPut({ target }: CopyTask): IsyncError {
  return new IsyncError('STORE_FAILED', 'the target shows another object than the one that was put', {
    path: target.key,
    retryable: true,
  });
}
