import { setImmediate as turn } from 'node:timers/promises';
import { createDigester, type DigestAlgorithm } from '../model/digest.ts';

/** Bytes digested between two turns of the event loop: a few milliseconds. */
const SLICE_BYTES = 4 * 1024 * 1024;

/** The digest of `size` zero bytes. */
export async function digestOfZeros(algorithm: DigestAlgorithm, size: number): Promise<Buffer> {
  const digester = createDigester(algorithm);
  const zeros = Buffer.alloc(Math.min(SLICE_BYTES, size));
  for (let left = size; left > 0; left -= zeros.length) {
    digester.update(zeros.subarray(0, Math.min(zeros.length, left)));
    await turn();
  }
  return digester.digest();
}
