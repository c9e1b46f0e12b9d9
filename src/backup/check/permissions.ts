import { createHash, randomBytes } from 'node:crypto';
import { pause } from '../../flow/wake-up.ts';
import { IsyncError, toIsyncError } from '../../model/isync-error.ts';
import type { BackupTarget, TargetUpload } from '../target/target.ts';
import { MAX_CLOCK_AHEAD_MS } from '../rules/prune-bars.ts';

/**
 * Key of what a check puts. Always the same: where nothing may be removed, one object stays behind, and not one of each check.
 */
export const CHECK_KEY = 'isync-check';
/** How long the lock of a check holds, in ms: long enough to try to remove what it locks. Nothing of it stays. */
const LOCK_MS = 4000;
/** Servers look at a lock in whole seconds. */
const LOCK_STEP_MS = 1000;

export type CheckedThing =
  'list' | 'uploads' | 'upload' | 'tags' | 'parts' | 'read' | 'lock' | 'abort' | 'remove' | 'clock';

export interface CheckResult {
  readonly thing: CheckedThing;
  /** What of S3 it is, for a policy. */
  readonly actions: readonly string[];
  /** Who needs it. A machine that only makes backups need not be able to prune. */
  readonly neededBy: 'run' | 'prune';
  /** `skipped`: what it stands on has failed. */
  readonly outcome: 'ok' | 'failed' | 'skipped';
  readonly error: IsyncError | undefined;
}

export interface PermissionOptions {
  /** Of the job: whether archives may have them. */
  readonly tags: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
}

/**
 * Does once what runs and prunes do, with one small object, and says of each thing whether it may be done. Rejects with the reason of
 * the signal only.
 */
export async function checkPermissions(
  target: BackupTarget,
  options: PermissionOptions,
): Promise<readonly CheckResult[]> {
  return await new Check(target, options).run();
}

const ACTIONS: Readonly<Record<CheckedThing, readonly string[]>> = {
  list: ['s3:ListBucket'],
  uploads: ['s3:ListBucketMultipartUploads'],
  upload: ['s3:PutObject'],
  tags: ['s3:PutObjectTagging'],
  parts: ['s3:ListMultipartUploadParts'],
  read: ['s3:GetObject'],
  lock: ['s3:PutObjectRetention', 's3:GetObjectRetention'],
  abort: ['s3:AbortMultipartUpload'],
  remove: ['s3:DeleteObject', 's3:DeleteObjectVersion', 's3:ListBucketVersions'],
  clock: [],
};

class Check {
  readonly #target: BackupTarget;
  readonly #options: PermissionOptions;
  readonly #results: CheckResult[] = [];
  /** Different each time, so that what is read back is of this check. */
  readonly #bytes = randomBytes(32);

  constructor(target: BackupTarget, options: PermissionOptions) {
    this.#target = target;
    this.#options = options;
  }

  async run(): Promise<readonly CheckResult[]> {
    const target = this.#target;
    const { signal } = this.#options;
    await this.#step('list', 'run', async () => await first(target.list({ signal })));
    await this.#step('uploads', 'run', async () => await first(target.uploads({ signal })));
    const isThere = await this.#upload();
    await this.#step('read', 'run', async () => await this.#read(), isThere);
    if (target.capabilities.lock !== undefined)
      await this.#step('lock', 'run', async () => await this.#lock(), isThere);
    await this.#step('abort', 'run', async () => {
      const upload = { key: CHECK_KEY, id: await this.#begin({}) };
      await target.abort(upload, { signal });
    });
    await this.#step('remove', 'prune', async () => await this.#remove(), isThere);
    await this.#step('clock', 'prune', async () => this.#compareClocks());
    return this.#results;
  }

  /** Whether the object is there. */
  async #upload(): Promise<boolean> {
    const { tags, signal } = this.#options;
    const target = this.#target;
    const hasTags = Object.keys(tags).length > 0;
    let begun: TargetUpload | undefined;
    let given = tags;
    const upload = await this.#step('upload', 'run', async () => {
      try {
        begun = { key: CHECK_KEY, id: await this.#begin(tags) };
      } catch (error) {
        if (!hasTags || !(error instanceof IsyncError) || error.code !== 'STORE_REFUSED') throw error;
        // With tags it takes one more permission: which of them it is, the same without tells.
        begun = { key: CHECK_KEY, id: await this.#begin({}) };
        given = {};
        this.#failed('tags', 'run', error);
      }
    });
    if (!upload || begun === undefined) return false;
    const under = begun;
    const etags: string[] = [];
    await this.#step('parts', 'run', async () => {
      const md5 = createHash('md5').update(this.#bytes).digest('base64');
      const etag = await target.putPart(under, { number: 1, bytes: this.#bytes, md5 }, { signal });
      etags.push(etag);
      const parts = await target.parts(under, { signal });
      if (parts?.get(1)?.etag !== etag)
        throw new IsyncError('STORE_FAILED', 'the store does not tell the part that it has taken');
    });
    if (etags.length === 0) {
      await target.abort(under, { signal }).catch(() => undefined);
      return false;
    }
    try {
      await target.complete(under, etags, this.#bytes.length, { signal });
    } catch (error) {
      signal.throwIfAborted();
      this.#replace('upload', toIsyncError(error, 'INTERNAL'));
      await target.abort(under, { signal }).catch(() => undefined);
      return false;
    }
    if (hasTags && given === tags) {
      // Some servers drop those of an upload, so they are put once more: of a permission of its own.
      await this.#step('tags', 'run', async () => {
        await target.complete(under, etags, this.#bytes.length, { signal, tags });
      });
    }
    return true;
  }

  async #begin(tags: Readonly<Record<string, string>>): Promise<string> {
    const { signal } = this.#options;
    const partBytes = Math.max(this.#bytes.length, this.#target.capabilities.leastPartBytes);
    return await this.#target.begin(CHECK_KEY, { partBytes, tags, metadata: {} }, { signal });
  }

  async #read(): Promise<void> {
    const { signal } = this.#options;
    const found = await this.#target.read(CHECK_KEY, { signal });
    const pieces: Uint8Array[] = [];
    if (found !== undefined)
      for await (const piece of found.read(0, Math.min(found.size, this.#bytes.length), { signal }))
        pieces.push(piece);
    if (found?.size !== this.#bytes.length || !this.#bytes.equals(Buffer.concat(pieces)))
      throw new IsyncError('DIGEST_MISMATCH', 'what was put does not read back', { path: CHECK_KEY });
  }

  /** A lock that holds keeps its object from us; and it ends when it should. */
  async #lock(): Promise<void> {
    const { signal } = this.#options;
    const target = this.#target;
    const mode = target.capabilities.lock?.mode ?? 'governance';
    const theirNowMs = Date.now() - (target.clockAheadMs ?? 0);
    await target.lock(CHECK_KEY, mode, theirNowMs + LOCK_MS, { signal });
    const removed = await target.remove(CHECK_KEY, { signal });
    if (removed !== 'locked')
      throw new IsyncError('STORE_FAILED', 'the store has removed what it was told to lock', {
        path: CHECK_KEY,
        retryable: false,
        hint: 'Locks need a bucket with Object Lock, and credentials that may not bypass it (s3:BypassGovernanceRetention).',
      });
    await pause(LOCK_MS + 2 * LOCK_STEP_MS, signal);
    signal.throwIfAborted();
  }

  async #remove(): Promise<void> {
    const removed = await this.#target.remove(CHECK_KEY, { signal: this.#options.signal });
    if (removed === 'locked')
      throw new IsyncError('STORE_REFUSED', 'the bucket locks what is put into it by a rule of its own', {
        path: CHECK_KEY,
        hint: 'What it locks is kept until the lock ends, whatever "keep" says.',
      });
  }

  #compareClocks(): void {
    const { clockAheadMs } = this.#target;
    if (clockAheadMs === undefined || Math.abs(clockAheadMs) <= MAX_CLOCK_AHEAD_MS) return;
    const minutes = Math.round(Math.abs(clockAheadMs) / 60_000);
    const side = clockAheadMs > 0 ? 'ahead of' : 'behind';
    throw new IsyncError(
      'CLOCK_SKEW',
      `our clock is ${minutes} minutes ${side} the store's: nothing is pruned`,
    );
  }

  /** Whether it may be done. */
  async #step(
    thing: CheckedThing,
    neededBy: CheckResult['neededBy'],
    act: () => Promise<void>,
    isPossible = true,
  ): Promise<boolean> {
    const { signal } = this.#options;
    signal.throwIfAborted();
    const facts = { thing, neededBy, actions: ACTIONS[thing] };
    if (!isPossible) {
      this.#results.push({ ...facts, outcome: 'skipped', error: undefined });
      return false;
    }
    try {
      await act();
      this.#results.push({ ...facts, outcome: 'ok', error: undefined });
      return true;
    } catch (error) {
      signal.throwIfAborted();
      this.#failed(thing, neededBy, toIsyncError(error, 'INTERNAL'));
      return false;
    }
  }

  #failed(thing: CheckedThing, neededBy: CheckResult['neededBy'], error: IsyncError): void {
    this.#results.push({ thing, neededBy, actions: ACTIONS[thing], outcome: 'failed', error });
  }

  /** Only what comes last shows that the first was not worth much. */
  #replace(thing: CheckedThing, error: IsyncError): void {
    const at = this.#results.findIndex((result) => result.thing === thing);
    const before = this.#results[at];
    if (before !== undefined) this.#results[at] = { ...before, outcome: 'failed', error };
  }
}

async function first(items: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of items) return;
}
