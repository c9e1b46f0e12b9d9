/** https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html */
export const MIN_PART_BYTES = 5 * 1024 * 1024;
const MAX_PARTS = 10_000;
/**
 * A part unless the file is too large for it, in bytes: what is lost when a process is killed is counted in parts, and
 * larger ones are no faster.
 */
export const PART_BYTES = 8 * 1024 * 1024;
/** Parts grow in steps of this many bytes. */
const STEP_BYTES = 1024 * 1024;

/** How a file is cut: every part is as long as the first one but for the last. */
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

/** Whether a server takes it. */
export function isPlan({ partBytes, parts }: PartPlan): boolean {
  return partBytes >= MIN_PART_BYTES && parts > 1 && parts <= MAX_PARTS;
}

/** The largest file that can be kept with parts of at most `partBytes`. */
export function mostBytes(partBytes: number): number {
  return Math.floor(partBytes / STEP_BYTES) * STEP_BYTES * MAX_PARTS;
}
