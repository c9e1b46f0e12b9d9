import { Readable } from 'node:stream';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import type { Abortable } from '../../model/abortable.ts';
import { IsyncError } from '../../model/isync-error.ts';
import type { Compression } from '../job.ts';
import type { ByteRanges } from './byte-ranges.ts';
import type { FramePlace } from './frames.ts';

/**
 * The bytes of a stream of frames, or of some whole frames of it. However much they unpack to, no more is held than some pieces.
 * @throws IsyncError BACKUP_DAMAGED where they can't be unpacked, or end within a frame
 */
export async function* unpack(
  compress: Compression,
  packed: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  if (compress === 'none') return yield* packed;
  const input = Readable.from(packed, { objectMode: false });
  const unpacker = compress === 'zstd' ? createZstdDecompress() : createGunzip();
  let failure: Error | undefined;
  input.once('error', (error: Error) => {
    failure = error;
    unpacker.destroy(error);
  });
  try {
    for await (const piece of input.pipe(unpacker)) if (piece instanceof Uint8Array) yield piece;
  } catch (error) {
    // What has failed before unpacking is told as it is.
    if (failure !== undefined) throw failure;
    const why = error instanceof Error ? error.message : String(error);
    throw new IsyncError('BACKUP_DAMAGED', `a part of an archive can't be unpacked (${why})`, {
      cause: error,
    });
  } finally {
    input.destroy();
    unpacker.destroy();
  }
}

/**
 * The content of one file, `size` bytes, of which whole frames are read and no more. Check its digest.
 * @param archive what is left of it once encryption is taken off
 * @throws IsyncError BACKUP_DAMAGED where the place has fewer bytes, or lies outside of the archive
 */
export async function* readStored(
  archive: ByteRanges,
  compress: Compression,
  { from, to, skip }: FramePlace,
  size: number,
  options: Abortable = {},
): AsyncGenerator<Uint8Array> {
  if (size === 0) return;
  if (to > archive.size) throw cut(size);
  let before = skip;
  let left = size;
  for await (const piece of unpack(compress, archive.read(from, to, options))) {
    const part = piece.subarray(before, before + left);
    before -= Math.min(before, piece.length);
    left -= part.length;
    if (part.length > 0) yield part;
    if (left === 0) return;
  }
  throw cut(size);
}

function cut(size: number): IsyncError {
  return new IsyncError(
    'BACKUP_DAMAGED',
    `an archive has fewer than the ${size} bytes of a file of its list`,
  );
}
