import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { lacks } from '../../harness/tools.ts';
import type { ByteRanges } from '../../src/backup/pack/byte-ranges.ts';
import { FRAME_BYTES, FrameWriter } from '../../src/backup/pack/frames.ts';
import { readStored, unpack } from '../../src/backup/pack/read-stored.ts';
import { largestArchive, partBytesFor } from '../../src/backup/upload/part-bytes.ts';

const FORMS = ['zstd', 'gzip', 'none'] as const;
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** Something that compresses a little: half of it repeats. */
function content(bytes: number): Buffer {
  const block = randomBytes(1024);
  return Buffer.concat(
    Array.from({ length: Math.ceil(bytes / 2048) }, () => [block, randomBytes(1024)]).flat(),
  ).subarray(0, bytes);
}

async function packed(compress: (typeof FORMS)[number], pieces: readonly Uint8Array[]) {
  const written: Uint8Array[] = [];
  const writer = new FrameWriter(compress, {
    write: async (bytes) => {
      await new Promise(setImmediate);
      written.push(Buffer.from(bytes));
    },
  });
  const places: (readonly [number, number])[] = [];
  for (const piece of pieces) {
    const start = writer.position;
    await writer.write(piece);
    places.push([start, writer.position]);
  }
  await writer.end();
  return {
    bytes: Buffer.concat(written),
    writer,
    places: places.map(([start, end]) => writer.placeOf(start, end)!),
  };
}

/** An archive in memory that tells which ranges were asked for. */
function rangesOf(bytes: Buffer): ByteRanges & { readonly asked: [number, number][] } {
  const asked: [number, number][] = [];
  return {
    size: bytes.length,
    asked,
    read: async function* (start, end) {
      asked.push([start, end]);
      for (let at = start; at < end; at += 100_000) yield bytes.subarray(at, Math.min(end, at + 100_000));
    },
  };
}

async function collect(bytes: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of bytes) pieces.push(piece);
  return Buffer.concat(pieces);
}

describe.each(FORMS)('frames of %s', (compress) => {
  it('give back each file alone, from a few of them', async () => {
    const sizes = [10_240, 0, FRAME_BYTES - 10_240, 1, FRAME_BYTES, 3 * FRAME_BYTES + 7, 5, 2 * FRAME_BYTES];
    const files = sizes.map((size) => content(size));
    const { bytes, places } = await packed(compress, files);
    for (const [index, file] of files.entries()) {
      const archive = rangesOf(bytes);
      const found = await collect(readStored(archive, compress, places[index]!, file.length));
      expect(sha256(found), `file ${index}`).toBe(sha256(file));
      const fetched = archive.asked.reduce((sum, [start, end]) => sum + end - start, 0);
      expect(fetched).toBeLessThanOrEqual(Math.ceil(file.length / FRAME_BYTES + 1) * (FRAME_BYTES + 20_000));
    }
  });

  it('are the same for the same bytes, however they come', async () => {
    const whole = content(2 * FRAME_BYTES + 999);
    const once = await packed(compress, [whole]);
    const often = await packed(compress, [
      whole.subarray(0, 1),
      whole.subarray(1, FRAME_BYTES + 5),
      whole.subarray(FRAME_BYTES + 5),
    ]);
    expect(sha256(often.bytes)).toBe(sha256(once.bytes));
    expect(sha256(await collect(unpack(compress, rangesOf(once.bytes).read(0, once.bytes.length))))).toBe(
      sha256(whole),
    );
  });

  it('say where content is only once it is written', async () => {
    const writer = new FrameWriter(compress, { write: async () => undefined });
    await writer.write(Buffer.alloc(FRAME_BYTES + 1));
    expect(writer.placeOf(FRAME_BYTES, FRAME_BYTES + 1)).toBeUndefined();
    expect(writer.placeOf(0, 0)).toEqual({ from: 0, to: 0, skip: 0 });
    await writer.end();
    expect(writer.placeOf(FRAME_BYTES, FRAME_BYTES + 1)).toMatchObject({ to: writer.written });
  });

  it('refuse a place that has too little, or lies outside', async () => {
    const { bytes, places } = await packed(compress, [content(5000)]);
    const [place] = places;
    const refused = { code: 'BACKUP_DAMAGED' };
    await expect(collect(readStored(rangesOf(bytes), compress, place!, 5001))).rejects.toMatchObject(refused);
    const beyond = { ...place!, to: bytes.length + 1 };
    await expect(collect(readStored(rangesOf(bytes), compress, beyond, 10))).rejects.toMatchObject(refused);
    await expect(
      collect(readStored(rangesOf(bytes), compress, { ...place!, skip: 4999 }, 2)),
    ).rejects.toMatchObject(refused);
  });

  it('fail as what takes them does', async () => {
    const writer = new FrameWriter(compress, { write: () => Promise.reject(new Error('no room')) });
    const writing = async (): Promise<void> => {
      for (let at = 0; at < 8; at++) await writer.write(Buffer.alloc(FRAME_BYTES));
      await writer.end();
    };
    await expect(writing()).rejects.toThrow('no room');
  });

  it('never need more parts than there are', async () => {
    const whole = randomBytes(3 * FRAME_BYTES + 5);
    const { bytes } = await packed(compress, [whole]);
    expect(bytes.length).toBeLessThanOrEqual(
      largestArchive({ bytes: whole.length - 1024, members: 0, pathBytes: 0 }, compress, false),
    );
  });
});

describe('frames of zstd, which share their memory', () => {
  it('are each what they would be alone', async () => {
    const whole = content(5 * FRAME_BYTES + 70_000);
    const alone: Buffer[] = [];
    for (let at = 0; at < whole.length; at += FRAME_BYTES)
      alone.push((await packed('zstd', [whole.subarray(at, at + FRAME_BYTES)])).bytes);
    expect(sha256((await packed('zstd', [whole])).bytes)).toBe(sha256(Buffer.concat(alone)));
  });
});

describe.each(['zstd', 'gzip'] as const)('damaged frames of %s', (compress) => {
  it('are refused', async () => {
    const { bytes, places } = await packed(compress, [content(100_000)]);
    const damaged = Buffer.from(bytes);
    damaged[50_000]! ^= 1;
    // The digest of the file is another check; gzip and zstd have one of their own at the end of a frame.
    await expect(collect(unpack(compress, rangesOf(damaged).read(0, damaged.length)))).rejects.toMatchObject({
      code: 'BACKUP_DAMAGED',
    });
    await expect(
      collect(readStored(rangesOf(bytes), compress, { ...places[0]!, from: 5 }, 100_000)),
    ).rejects.toMatchObject({ code: 'BACKUP_DAMAGED' });
  });

  it('tell a failed read as what it is', async () => {
    const broken = new Error('the line broke');
    const archive: ByteRanges = {
      size: 10,
      // oxlint-disable-next-line require-yield
      read: async function* () {
        throw broken;
      },
    };
    await expect(collect(readStored(archive, compress, { from: 0, to: 10, skip: 0 }, 5))).rejects.toBe(
      broken,
    );
  });
});

describe('what Debian has', () => {
  const whole = content(2 * FRAME_BYTES + 12_345);
  const input = { maxBuffer: 64 * FRAME_BYTES } as const;

  it.skipIf(lacks('zstd'))('reads the frames as a whole: zstd -d', async () => {
    const { bytes } = await packed('zstd', [whole]);
    expect(sha256(execFileSync('zstd', ['-dc'], { ...input, input: bytes }))).toBe(sha256(whole));
    const empty = await packed('zstd', []);
    expect(execFileSync('zstd', ['-dc'], { input: empty.bytes })).toHaveLength(0);
  });

  it('reads the members as a whole: gunzip', async () => {
    const { bytes } = await packed('gzip', [whole]);
    expect(sha256(execFileSync('gunzip', ['-c'], { ...input, input: bytes }))).toBe(sha256(whole));
    const empty = await packed('gzip', []);
    expect(execFileSync('gunzip', ['-c'], { input: empty.bytes })).toHaveLength(0);
  });
});

describe('the parts of an archive', () => {
  const bounds = { least: 5 * 2 ** 20, most: 5 * 2 ** 30 };

  it.each([0, 1, 2 ** 20, 70 * 2 ** 30, 71 * 2 ** 30, 2 ** 40, 5 * 2 ** 40])(
    'of %d bytes are 9,000 at most, of whole MiB',
    (bytes) => {
      const part = partBytesFor(bytes, bounds);
      expect(Math.ceil(bytes / part)).toBeLessThanOrEqual(9000);
      expect(part % 2 ** 20).toBe(0);
      expect(part).toBeGreaterThanOrEqual(8 * 2 ** 20);
      // No larger than need be.
      expect(part === 8 * 2 ** 20 || Math.ceil(bytes / (part - 2 ** 20)) > 9000).toBe(true);
    },
  );

  it('are what every target takes', () => {
    expect(partBytesFor(1, { least: 16 * 2 ** 20, most: 2 ** 30 })).toBe(16 * 2 ** 20);
    expect(() => partBytesFor(2 ** 40, { least: 1, most: 100 * 2 ** 20 })).toThrow(
      expect.objectContaining({ code: 'FILE_TOO_LARGE' }),
    );
    expect(() => partBytesFor(5 * 2 ** 40 + 1, bounds)).toThrow(
      expect.objectContaining({ code: 'FILE_TOO_LARGE' }),
    );
  });

  it('count what tar, compression and encryption add at worst', () => {
    const sources = { bytes: 10 ** 12, members: 10 ** 6, pathBytes: 10 ** 8 };
    const plain = largestArchive(sources, 'none', false);
    expect(plain).toBeGreaterThan(10 ** 12 + 10 ** 6 * 2048 + 10 ** 8);
    expect(largestArchive(sources, 'zstd', false)).toBeGreaterThan(plain);
    expect(largestArchive(sources, 'zstd', true)).toBeGreaterThan(
      largestArchive(sources, 'zstd', false) * (1 + 16 / 65_536),
    );
  });
});
