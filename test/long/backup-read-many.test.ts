import { randomBytes } from 'node:crypto';
import { zstdCompressSync } from 'node:zlib';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { RegularRecord } from '../../src/backup/list/file-record.ts';
import { parseMemberPath } from '../../src/backup/list/member-path.ts';
import type { ByteRanges } from '../../src/backup/pack/byte-ranges.ts';
import { FRAME_BYTES, FrameWriter } from '../../src/backup/pack/frames.ts';
import { planReads } from '../../src/backup/read/plan-reads.ts';
import { type PlacedFile, readMany } from '../../src/backup/read/read-many.ts';

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

function placed(path: string, size: number, place: Omit<RegularRecord['stored'], 'archive'>): PlacedFile {
  const common = { mode: 0o644, uid: 0, gid: 0, mtimeNs: 0n, sha256: 'a'.repeat(64) };
  return {
    record: { ...common, type: 'file', path: parseMemberPath(path), size, stored: { archive: 1, ...place } },
  };
}

async function taken(
  archive: ByteRanges,
  compress: 'zstd' | 'gzip' | 'none',
  files: readonly PlacedFile[],
): Promise<Map<PlacedFile, Buffer>> {
  const pieces = new Map<PlacedFile, Buffer[]>();
  await readMany({ ranges: archive, compress }, files, async (file, piece) => {
    pieces.set(file, [...(pieces.get(file) ?? []), Buffer.from(piece)]);
  });
  return new Map([...pieces].map(([file, parts]) => [file, Buffer.concat(parts)]));
}

describe.each(['zstd', 'gzip', 'none'] as const)('files of one archive of %s', (compress) => {
  it('are read by few requests, whichever are asked for', async () => {
    const pool = randomBytes(3 * FRAME_BYTES);
    const size = fc.oneof(
      fc.integer({ min: 1, max: 2000 }),
      fc.integer({ min: 1, max: 2 * FRAME_BYTES + 9 }),
    );
    const member = fc.record({ size, gap: fc.nat({ max: 1500 }), isWanted: fc.boolean() });
    await fc.assert(
      fc.asyncProperty(fc.array(member, { minLength: 1, maxLength: 12 }), async (members) => {
        const written: Uint8Array[] = [];
        const writer = new FrameWriter(compress, {
          write: async (bytes) => void written.push(Buffer.from(bytes)),
        });
        const starts: number[] = [];
        for (const { size: length, gap } of members) {
          await writer.write(Buffer.alloc(gap));
          starts.push(writer.position);
          await writer.write(pool.subarray(length % 1000, (length % 1000) + length));
        }
        await writer.end();
        const archive = rangesOf(Buffer.concat(written));
        const files = members.flatMap(({ size: length, isWanted }, at) => {
          const place = writer.placeOf(starts[at]!, starts[at]! + length)!;
          return isWanted ? [placed(`f${at}`, length, place)] : [];
        });
        const reads = planReads(files);
        let count = 0;
        for (const { files: some } of reads)
          for (const [{ record }, content] of await taken(archive, compress, some)) {
            const from = record.size % 1000;
            expect(content.equals(pool.subarray(from, from + record.size))).toBe(true);
            count++;
          }
        expect(count).toBe(files.length);
        expect(archive.asked).toHaveLength(reads.length);
      }),
      { numRuns: 12 },
    );
  });
});

describe('what is planned to be read', () => {
  it('is one request for what lies near, in order, and not too much', () => {
    const mib = 1024 * 1024;
    const at = (path: string, from: number, to: number, skip = 0): PlacedFile =>
      placed(path, 1, { from: from * mib, to: to * mib, skip });
    const files = [
      at('far', 9, 10),
      at('b', 1, 2),
      at('a2', 0, 1, 7),
      at('a1', 0, 1, 3),
      at('huge', 12, 200),
      at('after', 200, 201),
    ];
    expect(planReads(files).map((read) => read.files.map(({ record }) => record.path))).toEqual([
      ['a1', 'a2', 'b'],
      ['far'],
      ['huge'],
      ['after'],
    ]);
  });
});

describe('an archive that is not what its list says', () => {
  it('may hold a frame that unpacks to far more than a frame has', async () => {
    const bomb = zstdCompressSync(Buffer.alloc(8 * FRAME_BYTES));
    const files = [placed('a', 10, { from: 0, to: bomb.length, skip: 0 })];
    await expect(taken(rangesOf(bomb), 'zstd', files)).rejects.toMatchObject({
      code: 'BACKUP_DAMAGED',
      message: expect.stringContaining('more bytes'),
    });
  });

  it.each([
    [
      'overlapping files',
      [
        { from: 0, to: 500, skip: 0 },
        { from: 0, to: 500, skip: 50 },
      ],
    ],
    ['too few bytes', [{ from: 0, to: 500, skip: 450 }]],
    ['a place behind its end', [{ from: 900, to: 1500, skip: 0 }]],
  ])('has %s', async (_, places) => {
    const files = places.map((place, at) => placed(`f${at}`, 100, place));
    await expect(taken(rangesOf(Buffer.alloc(1000)), 'none', files)).rejects.toMatchObject({
      code: 'BACKUP_DAMAGED',
    });
  });
});
