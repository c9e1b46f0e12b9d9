import { statfsSync } from 'node:fs';
import { toIsyncError } from '../../model/isync-error.ts';

/** How much of a disk is to stay free. */
export type MinFree = { readonly percent: number } | { readonly bytes: number };

export interface Room {
  /** What a user who is not root may still fill. */
  readonly freeBytes: number;
  /** Of the disk, without what is reserved for root: as df(1) counts. */
  readonly totalBytes: number;
}

/** @throws IsyncError ROOT_MISSING */
export function roomOf(root: string): Room {
  try {
    const { bavail, bfree, blocks, bsize } = statfsSync(root);
    return { freeBytes: bavail * bsize, totalBytes: (blocks - bfree + bavail) * bsize };
  } catch (error) {
    throw toIsyncError(error, 'ROOT_MISSING', { path: root });
  }
}

/** Whether less is free than wanted. `madeBytes` are counted as free: some file systems tell of them late. */
export function isShort(
  { freeBytes, totalBytes }: Room,
  minFree: MinFree | undefined,
  madeBytes = 0,
): boolean {
  return minFree !== undefined && freeBytes + madeBytes < wantedBytes(totalBytes, minFree);
}

/** Bytes that are to be free on a disk of `totalBytes`. */
export function wantedBytes(totalBytes: number, minFree: MinFree): number {
  return 'bytes' in minFree ? minFree.bytes : (totalBytes * minFree.percent) / 100;
}
