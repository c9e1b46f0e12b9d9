import { MAX_PARTS } from '../../s3/multipart.ts';

/** Bytes of a part of a body that is not too large for it: memory is held for a few of them. */
export const PART_BYTES = 8 * 1024 * 1024;
/** Parts grow in steps of this many bytes. */
const STEP_BYTES = 1024 * 1024;
/**
 * What is added to each part, in bytes. A list of uploads tells nothing of what an upload is for, and an application may have long
 * uploads of its own in the same bucket. So ours are known by the size of their parts, which is whole steps and this.
 */
const MARK_BYTES = 12_289;

/** Bytes of each part but the last; {@link MAX_PARTS} of them hold a body of `size`. */
export function partBytesFor(size: number, smallest = PART_BYTES): number {
  const steps = Math.max(Math.ceil(size / MAX_PARTS / STEP_BYTES), Math.ceil(smallest / STEP_BYTES));
  return steps * STEP_BYTES + MARK_BYTES;
}

/** Whether a part of this size is one of ours. The last of an upload need not look like one. */
export function isOurPart(size: number): boolean {
  return size > MARK_BYTES && (size - MARK_BYTES) % STEP_BYTES === 0;
}
