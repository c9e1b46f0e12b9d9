import { writeSync } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { withoutBytes } from '../../model/chunks.ts';

/** Appends bytes at a position of a file. */
export type Append = (handle: FileHandle, chunks: readonly Uint8Array[], position: number) => Promise<void>;

/**
 * Bytes of one write(2). For more at once Linux takes larger runs of free memory for the page cache; on a machine whose host has
 * taken those back, 1 GiB in pieces of 4 MiB cost up to 2.6 s of CPU, in pieces of 32 KiB always 0.3 s. With less the calls count.
 */
const SLICE_BYTES = 32 * 1024;
/** A write that takes longer has not found room in the page cache at once, in ms: the disk can't keep up, or hangs. */
const SLOW_MS = 50;
/** How much longer than such a write has held up this thread the thread pool then writes: others have most of the time. */
const POOL_SHARE = 4;

/** Lets the thread pool write. */
export const appendInPool: Append = async (handle, chunks, position) => {
  let left = withoutBytes(chunks, 0);
  for (let at = position; left.length > 0;) {
    const { bytesWritten } = await handle.writev(left, at);
    at += bytesWritten;
    left = withoutBytes(left, bytesWritten);
  }
};

/**
 * Writes from this thread while the page cache takes the bytes at once, which is quicker than to wait for another thread, and
 * lets the thread pool write while it does not.
 */
export class DirectAppender {
  #poolUntil = 0;

  readonly append: Append = async (handle, chunks, position) => {
    let at = position;
    for (const bytes of chunks)
      for (let done = 0; done < bytes.length;) {
        const began = performance.now();
        if (began < this.#poolUntil) {
          await appendInPool(handle, [bytes.subarray(done)], at);
          at += bytes.length - done;
          break;
        }
        const written = writeSync(handle.fd, bytes, done, Math.min(SLICE_BYTES, bytes.length - done), at);
        done += written;
        at += written;
        const ended = performance.now();
        if (ended - began > SLOW_MS) this.#poolUntil = ended + POOL_SHARE * (ended - began);
      }
  };
}
