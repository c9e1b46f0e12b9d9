import { IsyncError } from '../../model/isync-error.ts';
import type { Compression } from '../job.ts';
import { FRAME_BYTES } from '../pack/frames.ts';

/** Parts that hold the largest archive there can be; as many more, up to the 10,000 of S3, are for files that grow meanwhile. */
const PARTS = 9000;
/** Part of an archive that is not too large for it, in bytes. A killed process sends what was under way again. */
const PART_BYTES = 8 * 1024 * 1024;
/** Parts grow in steps of this many bytes. */
const STEP_BYTES = 1024 * 1024;
/** The largest object, in bytes: https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html */
export const MAX_ARCHIVE_BYTES = 5 * 2 ** 40;

/** Bytes of tar for each member beside its content: its header, a pax header with its block, and what fills up three blocks. */
const MEMBER_BYTES = 5 * 512;
/** A path stands in the pax header, in both its forms, and that of a link beside. */
const PATH_FACTOR = 6;
/** The end of a tar. */
const END_BYTES = 1024;
/** What age adds: a header with a line for each recipient, and 16 bytes to each 64 KiB. */
const AGE_HEADER_BYTES = 64 * 1024;
const AGE_CHUNK_BYTES = 64 * 1024;
const AGE_TAG_BYTES = 16;

/** What a walk before the packing has found. */
export interface PackedSources {
  /** Of all files, and of what commands have printed. */
  readonly bytes: number;
  readonly members: number;
  /** Of the paths of all members. */
  readonly pathBytes: number;
}

/** Bytes of the largest archive that can come of these sources: nothing of them is stored already, and nothing gets smaller. */
export function largestArchive(
  { bytes, members, pathBytes }: PackedSources,
  compress: Compression,
  isEncrypted: boolean,
): number {
  const tar = bytes + members * MEMBER_BYTES + pathBytes * PATH_FACTOR + END_BYTES;
  const frames = Math.ceil(tar / FRAME_BYTES);
  const packed = tar + frames * frameOverhead(compress);
  if (!isEncrypted) return packed;
  return packed + AGE_HEADER_BYTES + (Math.ceil(packed / AGE_CHUNK_BYTES) + 1) * AGE_TAG_BYTES;
}

/** Most bytes that compression adds to a frame. */
function frameOverhead(compress: Compression): number {
  switch (compress) {
    // ZSTD_COMPRESSBOUND of zstd.h for 4 MiB, and the checksum.
    case 'zstd':
      return Math.ceil(FRAME_BYTES / 256) + 64;
    // deflateBound of zlib: 5 bytes for each stored block of 16 KiB at worst, and the header of a member.
    case 'gzip':
      return Math.ceil(FRAME_BYTES / 16_384) * 5 + 64;
    case 'none':
      return 0;
  }
}

/**
 * How an archive of at most `mostBytes` is cut: parts of this many bytes, the last one shorter.
 * @param least,most what every target takes, in bytes
 * @throws IsyncError FILE_TOO_LARGE where no target could take such an archive
 */
export function partBytesFor(
  mostBytes: number,
  { least, most }: { readonly least: number; readonly most: number },
): number {
  const needed = Math.ceil(mostBytes / PARTS / STEP_BYTES) * STEP_BYTES;
  const partBytes = Math.max(PART_BYTES, least, needed);
  if (mostBytes <= MAX_ARCHIVE_BYTES && partBytes <= most) return partBytes;
  throw new IsyncError(
    'FILE_TOO_LARGE',
    `the archive may become ${mostBytes} bytes large, which no object of a store can be`,
    { hint: 'Make several jobs of it, each with some of the sources.' },
  );
}
