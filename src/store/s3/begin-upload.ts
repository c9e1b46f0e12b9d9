import { randomUUID } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import type { FileEntry } from '../../model/file-entry.ts';
import type { Incoming } from '../rules/damage-rule.ts';
import type { BeginOptions } from '../store.ts';
import { abortUpload, listParts, startUpload } from '../../s3/multipart.ts';
import type { ObjectSettings } from '../../s3/object-attributes.ts';
import { headObject } from '../../s3/objects.ts';
import { CompleteBody } from './complete-body.ts';
import { toMetadata, uploadOf } from './metadata.ts';
import { MultipartBody } from './multipart-body.ts';
import type { OwnObjects } from './own-objects.ts';
import type { PartBuffers } from './part-buffers.ts';
import { furthest } from './part-ledger.ts';
import { cutInto, type PartPlan } from './part-plan.ts';
import { createResumableDigester, resumeDigester } from './resumable-digest.ts';
import type { S3Body } from './s3-body.ts';
import { readState } from './state-keeper.ts';
import { canResume, type UploadState } from './upload-state.ts';

/**
 * How long we wait for parts that a killed process had sent whole but the server has not stored yet, in ms. Otherwise each
 * of them would be sent again.
 */
const LATE_PARTS_MS = 1000;
/** How often we look for them meanwhile, in ms. */
const LOOK_AGAIN_MS = 200;

export interface LargeUpload {
  readonly file: FileEntry;
  readonly key: string;
  readonly stateKey: string;
  readonly plan: PartPlan;
  readonly own: OwnObjects;
  /** What the object is given. */
  readonly settings: ObjectSettings;
  readonly buffers: PartBuffers;
  /** Longest part that there is memory for, in bytes. */
  readonly mostPartBytes: number;
  /** Rejects where the complete file must not replace what is kept. */
  readonly mayReplace: (incoming: Incoming) => Promise<void>;
}

/** Starts a multipart upload, or resumes one that any process on any machine has begun. */
export async function beginUpload(large: LargeUpload, options: BeginOptions): Promise<S3Body> {
  const { file, key, stateKey, own, settings, plan } = large;
  const { bucket } = own;
  const request = { path: file.path, signal: options.signal };
  const earlier = await readState(own, stateKey, request);
  if (earlier !== undefined) {
    const found = options.resume ? await resumeUpload(large, earlier, options) : undefined;
    if (found !== undefined) return found;
    await abortUpload(bucket, { key, uploadId: earlier.uploadId }, request);
    await own.remove(stateKey, request);
  }
  const nonce = randomUUID();
  const digester = await createResumableDigester(options.algorithm);
  const metadata = toMetadata(file, { upload: nonce });
  const upload = await startUpload(bucket, key, { ...settings, metadata }, request);
  const { uploadId } = upload;
  const { partBytes } = plan;
  const { algorithm } = options;
  const state = { version: 1 as const, ...file, algorithm, uploadId, nonce, partBytes };
  return new MultipartBody({ ...large, upload, state, digester });
}

/** The upload of `earlier`, from the furthest point that it reached; undefined where nothing of it is left. */
async function resumeUpload(
  large: LargeUpload,
  earlier: UploadState,
  options: BeginOptions,
): Promise<S3Body | undefined> {
  const { file, key, stateKey, own, mostPartBytes } = large;
  const { bucket } = own;
  const request = { path: file.path, signal: options.signal };
  if (!canResume(earlier, file, { algorithm: options.algorithm, mostPartBytes })) return undefined;
  const { boundaries, ...state } = earlier;
  const { partBytes, parts } = cutInto(file.size, state.partBytes);
  // Before the parts are asked for: not every server says that a completed upload is gone.
  const head = await headObject(bucket, key, request);
  if (head?.size === file.size && uploadOf(head.metadata) === state.nonce) {
    const whole = boundaries.find((each) => each.parts === parts);
    if (whole === undefined) return undefined;
    const digester = await resumeDigester(options.algorithm, whole.digest);
    if (digester === undefined) return undefined;
    return new CompleteBody(file, digester, () => own.remove(stateKey, { path: file.path }));
  }
  const upload = { key, uploadId: state.uploadId };
  const sizeOf = (number: number): number =>
    number < parts ? partBytes : file.size - (parts - 1) * partBytes;
  const last = Math.max(...boundaries.map((each) => each.parts));
  const look = async (): ReturnType<typeof furthest> =>
    await furthest(boundaries, sizeOf, listParts(bucket, upload, request));
  let from = await look();
  for (let ms = 0; ms < LATE_PARTS_MS && from?.boundary.parts !== last; ms += LOOK_AGAIN_MS) {
    await setTimeout(LOOK_AGAIN_MS, undefined, { signal: options.signal });
    from = await look();
  }
  if (from === undefined) return undefined;
  const digester = await resumeDigester(options.algorithm, from.boundary.digest);
  if (digester === undefined) return undefined;
  return new MultipartBody({ ...large, upload, state, from, digester });
}
