import { createHash } from 'node:crypto';
import { Limiter } from '../../../flow/limiter.ts';
import type { Scavenger } from '../../../flow/scavenger.ts';
import { TaskGroup } from '../../../flow/task-group.ts';
import type { ObjectFacts } from '../../../s3/look.ts';
import {
  abortUpload,
  completeUpload,
  listUploads,
  MAX_PARTS,
  putPart,
  startUpload,
  type UploadKey,
} from '../../../s3/multipart.ts';
import type { ObjectAttributes } from '../../../s3/object-attributes.ts';
import { checksFor } from '../object-checks.ts';
import { readExactly } from './read-exactly.ts';
import type { Where } from './source-buckets.ts';
import type { StreamNeeds } from './stream-copy.ts';
import type { TargetBucket } from './target-bucket.ts';

type PartsNeeds = Omit<StreamNeeds, 'tags' | 'newKeys'> & { readonly scavenger: Scavenger };

/**
 * Copies an object by a multipart upload, each part read and put as a whole, and every one of just this version. A copy that
 * fails leaves nothing behind; what a killed one has left is thrown away by a later one to the same key.
 * @returns the ETag that the copy has where the target's ETags are made of MD5
 */
export async function copyParts(
  where: Where,
  key: string,
  object: ObjectFacts,
  attributes: ObjectAttributes,
  needs: PartsNeeds,
  signal: AbortSignal,
): Promise<string> {
  const { target, limits } = needs;
  const request = { signal, path: key };
  await throwAwayLeft(target, key, limits.leftBehindMs, signal);
  const upload = await target.use((bucket) =>
    startUpload(bucket, key, { ...target.settings, ...attributes }, request),
  );
  try {
    const parts = await putParts(where, upload, object, needs, signal);
    const etags = parts.map(({ etag }) => etag);
    await target.use((bucket) => completeUpload(bucket, upload, etags, request));
    return etagOf(parts);
  } catch (error) {
    // Without the signal, which may have fired.
    await target
      .use((bucket) => abortUpload(bucket, upload))
      .catch(() => {
        // Why the copy failed is what counts.
      });
    throw error;
  }
}

interface Part {
  readonly etag: string;
  readonly md5: Buffer;
}

/** Resolves to all parts, in their order, once the bytes are known to be those of the object. */
async function putParts(
  where: Where,
  upload: UploadKey,
  object: ObjectFacts,
  { source, target, budget, limits, scavenger }: PartsNeeds,
  signal: AbortSignal,
): Promise<readonly Part[]> {
  const { size, etag } = object;
  const partBytes = Math.max(limits.partBytes, Math.ceil(size / MAX_PARTS));
  const checks = await checksFor(object, true);
  const failed = new AbortController();
  const either = AbortSignal.any([signal, failed.signal]);
  const places = new Limiter(limits.partsAtOnce);
  const running = new TaskGroup();
  const parts: Part[] = [];

  const copyPart = async (index: number, before: Promise<void>, checked: () => void): Promise<void> => {
    const start = index * partBytes;
    const end = Math.min(size, start + partBytes);
    const held = await budget.take(end - start);
    try {
      either.throwIfAborted();
      const content = await source.range(where, { ifMatch: etag, start, end }, either);
      const bytes = await readExactly(content, { etag, length: end - start }, scavenger);
      // The whole is checked in its order.
      await before;
      checks.update(bytes);
      checked();
      const md5 = createHash('md5').update(bytes).digest();
      const body = { bytes, md5: md5.toString('base64') };
      const stored = await target.use((bucket) =>
        putPart(bucket, upload, index + 1, body, { signal: either, path: upload.key }),
      );
      parts[index] = { etag: stored.etag, md5 };
    } finally {
      held[Symbol.dispose]();
    }
  };

  let before = Promise.resolve();
  for (let index = 0; index * partBytes < size; index++) {
    const place = await places.enter();
    if (either.aborted) break;
    const checked = Promise.withResolvers<void>();
    const copied = copyPart(index, before, checked.resolve)
      .catch((error: unknown) => failed.abort(error))
      .finally(() => {
        checked.resolve();
        place[Symbol.dispose]();
      });
    running.add(copied);
    before = checked.promise;
  }
  await running.idle();
  either.throwIfAborted();
  checks.check();
  return parts;
}

/** Where uploads may not be listed, a rule of the bucket's life cycle has to collect what is left. */
async function throwAwayLeft(
  target: TargetBucket,
  key: string,
  afterMs: number,
  signal: AbortSignal,
): Promise<void> {
  try {
    await target.use(async (bucket) => {
      // Of all that begin with the key, its own are first.
      for await (const upload of listUploads(bucket, key, { signal })) {
        if (upload.key !== key) return;
        if (upload.startedMs < Date.now() - afterMs) await abortUpload(bucket, upload, { signal });
      }
    });
  } catch {
    signal.throwIfAborted();
  }
}

function etagOf(parts: readonly Part[]): string {
  const hash = createHash('md5');
  for (const { md5 } of parts) hash.update(md5);
  return `${hash.digest('hex')}-${parts.length}`;
}
