import { z } from 'zod';
import { DIGEST_ALGORITHMS, type DigestAlgorithm } from '../../model/digest.ts';
import type { FileEntry } from '../../model/file-entry.ts';
import { cutInto, isPlan } from './part-plan.ts';

/** Largest state that is read, in bytes: a path, and a few boundaries of 250 bytes each. */
export const MAX_STATE_BYTES = 64 * 1024;

const boundarySchema = z.object({
  parts: z.int().positive(),
  chain: z.string(),
  digest: z.base64(),
});

const stateSchema = z.object({
  version: z.literal(1),
  path: z.string(),
  size: z.int().nonnegative(),
  mtimeUs: z.int(),
  algorithm: z.enum(DIGEST_ALGORITHMS),
  uploadId: z.string().min(1),
  /** Also in the metadata of the object that this upload makes. */
  nonce: z.string().min(1),
  partBytes: z.int().positive(),
  /** The points from which it can be resumed. */
  boundaries: z.array(boundarySchema),
});

/** The state of an upload under way. It is kept in the bucket, so that any process on any machine can resume it. */
export type UploadState = z.infer<typeof stateSchema>;

export function formatState(state: UploadState): Buffer {
  return Buffer.from(JSON.stringify(state));
}

/** The state in `bytes`; undefined where it can't be read. */
export function parseState(bytes: Uint8Array): UploadState | undefined {
  try {
    return stateSchema.safeParse(JSON.parse(Buffer.from(bytes).toString('utf8'))).data;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** Whether `state` is of just this version of the file, and can be resumed. */
export function canResume(
  state: UploadState,
  file: FileEntry,
  { algorithm, mostPartBytes }: { readonly algorithm: DigestAlgorithm; readonly mostPartBytes: number },
): boolean {
  const { path, size, mtimeUs } = file;
  const isSame = state.path === path && state.size === size && state.mtimeUs === mtimeUs;
  const isSound = isPlan(cutInto(size, state.partBytes)) && state.partBytes <= mostPartBytes;
  return isSame && state.algorithm === algorithm && isSound;
}
