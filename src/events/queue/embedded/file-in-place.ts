import { statSync } from 'node:fs';
import { IsyncError } from '../../../model/isync-error.ts';

/** Watches that a file which is open is still the one at its path: what is written to one without a name is gone with it. */
export class FileInPlace {
  readonly #path: string;
  readonly #inode: bigint | undefined;

  constructor(path: string) {
    this.#path = path;
    this.#inode = inodeOf(path);
  }

  /** @throws IsyncError STORE_FAILED, retryable */
  check(): void {
    if (inodeOf(this.#path) === this.#inode) return;
    throw new IsyncError('STORE_FAILED', 'the queue file was removed, or replaced by another one', {
      path: this.#path,
      hint: 'What was in it is still worked on: when the queue is empty, start it again.',
    });
  }
}

/** Undefined where nothing can be found at the path. */
function inodeOf(path: string): bigint | undefined {
  try {
    return statSync(path, { bigint: true }).ino;
  } catch {
    return undefined;
  }
}
