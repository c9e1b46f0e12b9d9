import { randomBytes } from 'node:crypto';
import { zstdDecompressSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { createCompressor } from '../../src/backup/pack/compressor.ts';

const FRAME_BYTES = 4 * 1024 * 1024;

test('what has been let go of holds no memory, and the next frames are whole', async () => {
  using compressor = createCompressor('zstd');
  const before: ArrayBufferLike[] = [];
  for (let count = 0; count < 5; count++) {
    const frame = Buffer.concat([randomBytes(FRAME_BYTES / 2), Buffer.alloc(FRAME_BYTES / 2, `${count}`)]);
    const pieces = await compressor.compress(frame);
    expect(zstdDecompressSync(Buffer.concat(pieces)).equals(frame)).toBe(true);
    compressor.letGo(pieces);
    before.push(...pieces.slice(0, -1).map(({ buffer }) => buffer));
  }
  const held = before.reduce((sum, { byteLength }) => sum + byteLength, 0);
  expect(before.length).toBeGreaterThan(30);
  expect(held).toBeLessThanOrEqual(2 * 256 * 1024);
});
