import { statfsSync } from 'node:fs';
import { IsyncError } from '../../model/isync-error.ts';

/** How long a look at the free space counts, in ms: others fill the disk too, but a statfs for each write would cost. */
const BELIEVED_MS = 1000;

/** Keeps `minFreeBytes` of the store's file system free. With 0 it never looks, and the file system itself refuses. */
export class FreeSpace {
  readonly #root: string;
  readonly #minFreeBytes: number;
  #freeBytes = 0;
  #lookedAt = -Infinity;

  constructor(root: string, minFreeBytes: number) {
    this.#root = root;
    this.#minFreeBytes = minFreeBytes;
  }

  /** @throws IsyncError STORE_FULL when `bytes` more would not leave enough */
  check(bytes: number, path: string): void {
    if (this.#minFreeBytes === 0) return;
    const now = performance.now();
    if (now - this.#lookedAt > BELIEVED_MS) {
      const { bavail, bsize } = statfsSync(this.#root);
      this.#freeBytes = bavail * bsize;
      this.#lookedAt = now;
    }
    if (this.#freeBytes - bytes >= this.#minFreeBytes) return;
    throw new IsyncError(
      'STORE_FULL',
      `the store keeps ${this.#minFreeBytes} bytes free and has ${this.#freeBytes}`,
      {
        path,
        hint: 'Free some space; what waits for it goes on by itself.',
      },
    );
  }

  /** Bytes that may be taken now. */
  get leftBytes(): number {
    const { bavail, bsize, files, ffree } = statfsSync(this.#root);
    // Without an inode no file can be made.
    if (files > 0 && ffree === 0) return 0;
    return Math.max(0, bavail * bsize - this.#minFreeBytes);
  }

  /** Like `check`, and counts the bytes as gone until the next look. */
  take(bytes: number, path: string): void {
    this.check(bytes, path);
    this.#freeBytes -= bytes;
  }
}
