import { MAX_PARTS, MIN_PART_BYTES } from '../../s3/multipart.ts';

/**
 * Part of a file that is not too large for it, in bytes. A killed process loses the part that it was filling, and larger
 * parts are no faster.
 */
export const PART_BYTES = 8 * 1024 * 1024;
/** Parts grow in steps of this many bytes. */
const STEP_BYTES = 1024 * 1024;

/** How a file is cut. All parts are of one length, but the last may be shorter. */
export interface PartPlan {
  readonly partBytes: number;
  readonly parts: number;
}

export function planParts(size: number, smallest = PART_BYTES): PartPlan {
  const needed = Math.ceil(size / MAX_PARTS / STEP_BYTES) * STEP_BYTES;
  return cutInto(size, Math.max(smallest, needed));
}

export function cutInto(size: number, partBytes: number): PartPlan {
  return { partBytes, parts: Math.ceil(size / partBytes) };
}

/** Whether servers take an upload with these parts. */
export function isPlan({ partBytes, parts }: PartPlan): boolean {
  return partBytes >= MIN_PART_BYTES && parts > 1 && parts <= MAX_PARTS;
}

/** The largest file that can be kept with parts of at most `partBytes`. */
export function mostBytes(partBytes: number): number {
  return Math.floor(partBytes / STEP_BYTES) * STEP_BYTES * MAX_PARTS;
}
