import { promisify } from 'node:util';
import { constants, createZstdCompress, gzip, type ZstdCompress } from 'node:zlib';
import type { Compression } from '../job.ts';

/** As `zstd` and `gzip` have them by default. */
const ZSTD_LEVEL = 3;
const GZIP_LEVEL = 6;
/**
 * The window holds a whole frame, as a power of two in bytes: of a smaller one zstd would copy the frame in two pieces, and look for matches
 * in both, which is slower.
 */
const ZSTD_WINDOW_LOG = 22;
/**
 * Bytes that come of a frame at a time. With Node's own 16 KiB each took a turn of the pool; with as many as can come, the system would
 * clear so much memory for each frame, a quarter of the time.
 */
const PIECE_BYTES = 256 * 1024;

/** Compresses frames, one at a time, each by itself. The same frames in the same order give the same bytes. */
export interface Compressor extends Disposable {
  /** What comes of the frame, in pieces; the frame may be changed once it has resolved. */
  compress(frame: Buffer): Promise<readonly Uint8Array[]>;
  /** Frees the memory of pieces that nobody reads any more. */
  letGo(pieces: readonly Uint8Array[]): void;
}

export function createCompressor(compress: Compression): Compressor {
  switch (compress) {
    case 'zstd':
      return new ZstdCompressor();
    case 'gzip':
      return { ...NOTHING_HELD, compress: async (frame) => [await gzipped(frame, GZIP_OPTIONS)] };
    case 'none':
      return { ...NOTHING_HELD, compress: async (frame) => [frame] };
  }
}

const NOTHING_HELD = { letGo: () => {}, [Symbol.dispose]: () => {} };

const gzipped = promisify(gzip);
const GZIP_OPTIONS = { level: GZIP_LEVEL, chunkSize: PIECE_BYTES };

/** Keeps the memory of the library from frame to frame: to have it cleared by the system for each takes a fourth of the time. */
class ZstdCompressor implements Compressor {
  readonly #zstd: ZstdCompress = createZstdCompress({
    chunkSize: PIECE_BYTES,
    // Each write is a frame.
    flush: constants.ZSTD_e_end,
    params: {
      [constants.ZSTD_c_compressionLevel]: ZSTD_LEVEL,
      [constants.ZSTD_c_windowLog]: ZSTD_WINDOW_LOG,
      [constants.ZSTD_c_checksumFlag]: 1,
    },
  });
  #pieces: Uint8Array[] = [];

  constructor() {
    this.#zstd.on('data', (piece: Uint8Array) => this.#pieces.push(piece));
    // Told where it is written to.
    this.#zstd.on('error', () => undefined);
  }

  async compress(frame: Buffer): Promise<readonly Uint8Array[]> {
    await new Promise<void>((resolve, reject) => {
      this.#zstd.write(frame, (error) => (error ? reject(error) : resolve()));
    });
    const pieces = this.#pieces;
    this.#pieces = [];
    return pieces;
  }

  /** Left to V8, which goes by small objects, some 40 MiB of them would wait to be collected. */
  letGo(pieces: readonly Uint8Array[]): void {
    // What comes of the next frame stands behind the last piece.
    const last = pieces.at(-1)?.buffer;
    for (const { buffer } of pieces)
      if (buffer !== last && buffer instanceof ArrayBuffer && buffer.byteLength === PIECE_BYTES)
        buffer.transfer(0);
  }

  [Symbol.dispose](): void {
    this.#zstd.destroy();
  }
}
