import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import type { DigestAlgorithm } from '../model/digest.ts';
import { malformed } from './bytes.ts';
import { decodeSenderMessage, encode } from './codec.ts';
import { MAX_MESSAGE_BYTES } from './limits.ts';
import type { Chunk, Files, Packed } from './messages.ts';

/** What WELCOME calls this format. */
export const ZSTD = 'zstd';

/** zstd's fastest usual level: level 3 makes logs some 2 % smaller still and takes twice the time or more. */
const LEVEL = 1;
/** Size of zlib's output buffers in bytes: what a full chunk of text usually shrinks to. */
const OUTPUT_BYTES = 64 * 1024;
/** Largest window of a frame, as a power of two: that of the longest message. A frame makes us allocate its window. */
const MAX_WINDOW_LOG = Math.log2(MAX_MESSAGE_BYTES);
/** Smallest buffer that zlib takes, in bytes. */
const MIN_OUTPUT_BYTES = 64;

/** PACKED with `message`, an encoded FILES or CHUNK. Takes about a millisecond a MiB, too little for a thread. */
export function pack(message: Buffer): Buffer {
  const frame = zstdCompressSync(message, {
    chunkSize: OUTPUT_BYTES,
    pledgedSrcSize: message.length,
    params: { [constants.ZSTD_c_compressionLevel]: LEVEL },
  });
  return encode({ type: 'packed', length: message.length, frame });
}

/**
 * The message in PACKED. Takes no more memory than the length that PACKED claims and the largest window.
 * @throws IsyncError PROTOCOL unless it is exactly one FILES or CHUNK in exactly one frame
 */
export function unpack({ length, frame }: Packed, algorithm: DigestAlgorithm): Files | Chunk {
  const message = decodeSenderMessage(decompress(frame, length), algorithm);
  if (message.type === 'files' || message.type === 'chunk') return message;
  throw malformed(`PACKED holds ${message.type}`);
}

function decompress(frame: Buffer, length: number): Buffer {
  let result: unknown;
  try {
    result = zstdDecompressSync(frame, {
      // One buffer, with room for a byte too many.
      chunkSize: Math.max(MIN_OUTPUT_BYTES, length + 1),
      maxOutputLength: length,
      params: { [constants.ZSTD_d_windowLogMax]: MAX_WINDOW_LOG },
      info: true,
    });
  } catch {
    throw malformed('no zstd frame of the length that PACKED claims');
  }
  const { bytes, consumed } = readResult(result);
  // zlib reports neither a frame that is cut nor bytes after one.
  if (bytes.length !== length) throw malformed('a zstd frame of another length than PACKED claims');
  if (consumed !== frame.length) throw malformed('bytes after the zstd frame');
  return bytes;
}

/** What zlib returns with `info`; its types leave this out. */
function readResult(result: unknown): { readonly bytes: Buffer; readonly consumed: unknown } {
  if (typeof result === 'object' && result !== null && 'buffer' in result && 'engine' in result) {
    const { buffer, engine } = result;
    if (Buffer.isBuffer(buffer) && typeof engine === 'object' && engine !== null && 'bytesWritten' in engine)
      return { bytes: buffer, consumed: engine.bytesWritten };
  }
  throw new TypeError('zlib returned no engine');
}
