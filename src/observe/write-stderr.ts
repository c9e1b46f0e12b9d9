import { writeSync } from 'node:fs';
import { errnoOf } from '../model/isync-error.ts';

const STDERR = 2;
/** How long a reader that is behind gets between two tries, in ms. */
const BEHIND_MS = 10;

const asleep = new Int32Array(new SharedArrayBuffer(4));

/**
 * Writes all of `text` before it returns, so that no line is lost at exit. A reader that is behind is waited for, as a pipe that
 * blocks would. An error of stderr (a full disk) loses the text and stops nothing.
 */
export function writeStderr(text: string): void {
  try {
    for (let left = Buffer.from(text); left.length > 0;) left = left.subarray(writeSome(left));
  } catch {
    // There is no other place to tell it.
  }
}

function writeSome(bytes: Uint8Array): number {
  try {
    return writeSync(STDERR, bytes);
  } catch (error) {
    // Node makes pipes of its own non-blocking.
    if (errnoOf(error) !== 'EAGAIN') throw error;
    Atomics.wait(asleep, 0, 0, BEHIND_MS);
    return 0;
  }
}
