import { statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';

/** Most memory of a receiver with four large files on their way to a bucket, in bytes. */
export const MAX_S3_MEMORY_BYTES = 300 * 1000 * 1000;
/** What files in parts are tried with, in bytes; set it to less for a quick run by hand. */
const FULL_BYTES = Number(process.env['ISYNC_TEST_BIG_BYTES'] ?? 5 * 1024 ** 3);
/** Share of the free disk that a test may take: a server of our own is on the same disk. */
const SHARE = 0.6;

/** Bytes each of `files` large files may have: what is asked for, or what the disk has room for, which is told. */
export function roomFor(files: number): number {
  const { bavail, bsize } = statfsSync(tmpdir());
  const room = Math.floor((bavail * bsize * SHARE) / files);
  if (room >= FULL_BYTES) return FULL_BYTES;
  console.warn(`the disk has room for ${files} × ${room} bytes only; less is tried than ${FULL_BYTES} each`);
  return room;
}
