import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { appendFileSync, readdirSync, readFileSync, symlinkSync, truncateSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { FileRecord } from '../../src/backup/list/file-record.ts';
import { FRAME_BYTES } from '../../src/backup/pack/frames.ts';
import { MAX_READS, MemberFile } from '../../src/backup/pack/member-file.ts';
import type { PackProgress } from '../../src/backup/pack/pack.ts';
import { checkContents, LARGE, type MadeBackup, names, packed, PackStage } from '../backup/packing.ts';

const stage = PackStage.use();

describe('a file that changes', () => {
  const content = randomBytes(5 * FRAME_BYTES);

  /** Packs it, and appends to it while the archive is written, up to `most` times. */
  async function packedWhile(path: string, most: number): Promise<MadeBackup> {
    const pieces: Uint8Array[] = [];
    let changes = 0;
    const write = async (bytes: Uint8Array): Promise<void> => {
      pieces.push(Buffer.from(bytes));
      if (changes++ < most) appendFileSync(path, 'more');
    };
    const backup = await packed(stage.job({ compress: 'none' }), 1, { sink: { write } });
    return { ...backup, archive: Buffer.concat(pieces) };
  }

  it('is packed again behind, and the last one counts', async () => {
    const path = stage.put('large', content);
    const backup = await packedWhile(path, 1);
    expect(names(backup.archive)).toEqual([`${stage.data.slice(1)}/`, stage.at('large'), stage.at('large')]);
    execFileSync('tar', ['-x', '-C', stage.root], { input: backup.archive });
    expect(readFileSync(join(stage.root, stage.data, 'large')).equals(readFileSync(path))).toBe(true);
    expect(stage.file(backup, 'large')).toMatchObject({ size: content.length + 4, seen: {} });
    await checkContents(backup.list, [backup], 'none');
    expect(backup.counts).toMatchObject({ torn: 0, problems: 0, storedFiles: 1 });
  });

  it('is kept as torn after three tries, and read again by the next backup', async () => {
    const path = stage.put('large', content);
    const backup = await packedWhile(path, Infinity);
    expect(names(backup.archive)).toHaveLength(1 + MAX_READS);
    expect(stage.file(backup, 'large')).toMatchObject({ isTorn: true });
    expect(stage.file(backup, 'large')).not.toHaveProperty('seen');
    expect(backup.counts).toMatchObject({ torn: 1, problems: 1 });
    expect(backup.problems).toMatchObject([{ path: stage.at('large'), code: 'FILE_CHANGED' }]);
    await checkContents(backup.list, [backup], 'none');
    const second = await packed(stage.job({ compress: 'none' }), 2, { on: backup });
    expect(stage.file(second, 'large')).toMatchObject({ stored: { archive: 2 }, seen: {} });
    expect(second.counts).toMatchObject({ torn: 0, problems: 0 });
  });
});

describe('a large file whose disk fails', () => {
  const content = randomBytes(LARGE);
  afterEach(() => vi.restoreAllMocks());

  /** Reading breaks off in the middle, `times` times. */
  function failing(times: number): void {
    let reads = 0;
    vi.spyOn(MemberFile.prototype, 'pieces').mockImplementation(async function* (this: MemberFile) {
      const whole = this.whole(Buffer.alloc(LARGE));
      yield whole.subarray(0, 3_000_000);
      reads++;
      if (reads <= times) throw Object.assign(new Error('disk'), { code: 'EIO' });
      yield whole.subarray(3_000_000);
    });
  }

  it('is read again', async () => {
    stage.put('large', content);
    failing(1);
    const backup = await packed(stage.job(), 1);
    expect(backup.counts).toMatchObject({ files: 1, problems: 0, storedFiles: 1 });
    expect(stage.membersOf(backup)).toEqual(['/', '/large', '/large']);
    await checkContents(backup.list, [backup], 'zstd');
  });

  it('is left out in the end, and what comes behind it is not', async () => {
    for (const path of ['a', 'z']) stage.put(path);
    stage.put('large', content);
    failing(MAX_READS);
    const backup = await packed(stage.job(), 1);
    expect(backup.list.map(({ path }) => path)).toEqual([stage.data.slice(1), stage.at('a'), stage.at('z')]);
    expect(backup.problems).toEqual([
      { path: stage.at('large'), code: 'FILE_UNREADABLE', message: "it can't be read (EIO)" },
    ]);
    expect(backup.counts).toMatchObject({ files: 2, bytes: 2, problems: 1 });
    await checkContents(backup.list, [backup], 'zstd');
  });
});

describe('what is exchanged after it was looked at', () => {
  it.each([true, false])(
    'is left out, and told of where it is something else (encrypted: %s)',
    async (isEncrypted) => {
      for (const path of ['a', 'file', 'gone', 'z']) stage.put(path);
      const full = await packed(stage.job(), 1);
      // The walk has looked at a path when its record is asked for.
      async function* exchanging(): AsyncGenerator<FileRecord> {
        for (const each of full.list) {
          if (each.path === stage.at('file')) {
            unlinkSync(join(stage.data, 'file'));
            symlinkSync('a', join(stage.data, 'file'));
          }
          if (each.path === stage.at('gone')) unlinkSync(join(stage.data, 'gone'));
          yield each;
        }
      }
      const backup = await packed(stage.job(), 2, {
        base: { version: 1, records: exchanging() },
        isRehash: true,
        ...(isEncrypted && { sealer: { seal: (bytes) => bytes, end: () => new Uint8Array() } }),
      });
      expect(backup.list.map(({ path }) => path)).toEqual([
        stage.data.slice(1),
        stage.at('a'),
        stage.at('z'),
      ]);
      expect(backup.counts).toMatchObject({ files: 2, problems: 1 });
      const [problem] = backup.problems;
      expect(problem).toMatchObject({ code: 'FILE_CHANGED' });
      expect(problem?.path).toBe(isEncrypted ? undefined : stage.at('file'));
    },
  );
});

it('says how far it is while it packs', async () => {
  const path = stage.put('large', '');
  truncateSync(path, 5 * FRAME_BYTES);
  vi.useFakeTimers({ toFake: ['performance'] });
  const told: PackProgress[] = [];
  await packed(stage.job(), 1, {
    sink: { write: async () => void vi.advanceTimersByTime(1000) },
    onProgress: (progress) => void told.push(progress),
  });
  vi.useRealTimers();
  expect(told.some(({ files, bytes }) => files === 0 && bytes > FRAME_BYTES)).toBe(true);
});

it('stops when it is told to', async () => {
  stage.fill();
  const controller = new AbortController();
  const sink = { write: async () => controller.abort(new Error('enough')) };
  stage.put('zz', randomBytes(5 * FRAME_BYTES));
  await expect(packed(stage.job(), 1, { sink, signal: controller.signal })).rejects.toThrow('enough');
  expect(readdirSync(stage.state)).toEqual([]);
});
