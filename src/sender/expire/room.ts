import { statfsSync } from 'node:fs';
import { toIsyncError } from '../../model/isync-error.ts';

/** ext2 to ext4, and tmpfs, by their numbers in statfs(2). */
const PROMPT: ReadonlySet<number> = new Set([0xef53, 0x01021994]);

/** How much of a disk is to stay free. */
export type MinFree = { readonly percent: number } | { readonly bytes: number };

export interface Room {
  /** What a user who is not root may still fill. */
  readonly freeBytes: number;
  /** Of the disk, without what is reserved for root: as df(1) counts. */
  readonly totalBytes: number;
  /** Whether the file system counts what was removed as free at once. */
  readonly isPrompt: boolean;
}

/** @throws IsyncError ROOT_MISSING */
export function roomOf(root: string): Room {
  try {
    const { bavail, bfree, blocks, bsize, type } = statfsSync(root);
    return {
      freeBytes: bavail * bsize,
      totalBytes: (blocks - bfree + bavail) * bsize,
      isPrompt: PROMPT.has(type),
    };
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
