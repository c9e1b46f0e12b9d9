import { createHash, randomUUID } from 'node:crypto';
import type { ByteBudget } from '../../flow/byte-budget.ts';
import { Limiter } from '../../flow/limiter.ts';
import { IsyncError, toIsyncError } from '../../model/isync-error.ts';
import { outcomeOf, type PutCondition } from '../../s3/conditional-put.ts';
import { answerIn } from '../../s3/errors.ts';
import { abortUpload, completeUpload, putPart, startUpload, type UploadKey } from '../../s3/multipart.ts';
import { headObject } from '../../s3/objects.ts';
import type { ObjectAttributes } from '../../s3/object-attributes.ts';
import type { Bucket } from '../../s3/requests.ts';
import type { SpoolFile } from '../spool/spool.ts';
import { partBytesFor } from './fill-parts.ts';
import { readPart } from './read-part.ts';

/** Parts of a body that are put at a time. */
const PARTS_AT_ONCE = 4;
/** Metadata that tells our upload from another one to the same key. */
const UPLOAD = 'isync-fill';

export interface PartsPut {
  readonly bucket: Bucket;
  readonly key: string;
  readonly body: SpoolFile;
  readonly condition: PutCondition;
  /** Whether the server heeds such a condition on a PUT: if not, the completion has none. */
  readonly isHeeded: boolean | undefined;
  /** What the object is given, beside the metadata that names the upload. */
  readonly attributes: ObjectAttributes;
  /** What all parts hold in memory. */
  readonly budget: ByteBudget;
  /** Smallest part, in bytes. */
  readonly partBytes: number;
  readonly signal: AbortSignal;
}

/** Puts a body by a multipart upload, which is aborted on every failure. Rejects with an IsyncError, or the signal's reason. */
export async function putInParts(put: PartsPut): Promise<'kept' | 'present'> {
  const { bucket, key, attributes, signal } = put;
  const nonce = randomUUID();
  const metadata = { ...attributes.metadata, [UPLOAD]: nonce };
  const upload = await startUpload(bucket, key, { ...attributes, metadata }, { signal, path: key });
  let isDone = false;
  try {
    const etags = await putParts(upload, put);
    const outcome = (await isTaken(put)) ? 'present' : await complete(upload, etags, nonce, put);
    isDone = outcome === 'kept';
    return outcome;
  } finally {
    // Without the signal, which may have fired.
    if (!isDone)
      await abortUpload(bucket, upload, { path: key }).catch(() => {
        // What has failed before counts; the upload is removed at a later start.
      });
  }
}

async function putParts(upload: UploadKey, put: PartsPut): Promise<readonly string[]> {
  const { bucket, body, budget, signal } = put;
  const partBytes = partBytesFor(body.size, put.partBytes);
  const failed = new AbortController();
  const either = AbortSignal.any([signal, failed.signal]);
  const places = new Limiter(PARTS_AT_ONCE);
  const etags: string[] = [];

  const putOne = async (index: number): Promise<void> => {
    const start = index * partBytes;
    const end = Math.min(body.size, start + partBytes);
    const held = await budget.take(end - start);
    try {
      either.throwIfAborted();
      const bytes = await readPart(body, start, end, either);
      const md5 = createHash('md5').update(bytes).digest('base64');
      const request = { signal: either, path: upload.key };
      const { etag } = await putPart(bucket, upload, index + 1, { bytes, md5 }, request);
      etags[index] = etag;
    } finally {
      held[Symbol.dispose]();
    }
  };

  const parts = Array.from({ length: Math.ceil(body.size / partBytes) }, (_, index) =>
    places.run(async () => {
      if (either.aborted) return;
      await putOne(index).catch((error: unknown) => failed.abort(error));
    }),
  );
  await Promise.all(parts);
  either.throwIfAborted();
  return etags;
}

/** Whether the condition holds no longer, as far as a look tells: not every server looks itself. */
async function isTaken({ bucket, key, condition, signal }: PartsPut): Promise<boolean> {
  const head = await headObject(bucket, key, { signal, path: key });
  return condition.kind === 'absent' ? head !== undefined : head?.etag !== condition.etag;
}

async function complete(
  upload: UploadKey,
  etags: readonly string[],
  nonce: string,
  { bucket, key, body, condition, isHeeded, signal }: PartsPut,
): Promise<'kept' | 'present'> {
  const request = { signal, path: key };
  let failure: unknown;
  try {
    await completeUpload(bucket, upload, etags, request, isHeeded === false ? undefined : condition);
  } catch (error) {
    failure = error;
  }
  const outcome = failure === undefined ? undefined : outcomeOf(answerIn(failure));
  if (outcome === 'unsupported') {
    failure = await completeUpload(bucket, upload, etags, request).then(
      () => undefined,
      (error: unknown) => error,
    );
  }
  // Also after a failure: only the answer may have been lost, or a second try failed because the first one succeeded.
  const head = await headObject(bucket, key, { path: key });
  if (head?.metadata[UPLOAD] === nonce && head.size === body.size) return 'kept';
  // Whatever stands there is another's. It may have come right after ours, too.
  const isOthers = head !== undefined && head.metadata[UPLOAD] !== nonce;
  if (isOthers && (failure === undefined || outcome === 'refused' || outcome === 'conflict'))
    return 'present';
  if (failure === undefined)
    throw new IsyncError('STORE_FAILED', `${head?.size ?? 'no'} bytes are kept where ${body.size} were put`, {
      path: key,
    });
  throw toIsyncError(failure, 'INTERNAL', { path: key });
}
