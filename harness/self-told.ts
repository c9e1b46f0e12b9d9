import { createHash, randomFillSync } from 'node:crypto';

/** Content whose first line tells how long the rest is, and its digest: whoever reads half of it knows. */

/** @param size bytes after the first line */
export function selfTold(size: number): Buffer {
  const rest = randomFillSync(Buffer.allocUnsafe(size));
  return Buffer.concat([Buffer.from(`${size} ${digestOf(rest)}\n`), rest]);
}

/** What is wrong with it; undefined where it is whole. */
export function faultOf(content: Buffer): string | undefined {
  const end = content.indexOf('\n');
  const [, size, digest] =
    /^(\d+) ([0-9a-f]{64})$/.exec(content.subarray(0, Math.max(0, end)).toString()) ?? [];
  if (size === undefined) return `${content.length} bytes that do not begin with what they are`;
  const rest = content.subarray(end + 1);
  if (rest.length !== Number(size)) return `${rest.length} bytes instead of ${size}`;
  return digestOf(rest) === digest ? undefined : `${size} bytes, but others`;
}

function digestOf(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}
