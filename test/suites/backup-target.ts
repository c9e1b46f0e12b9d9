import { createHash, randomBytes } from 'node:crypto';
import { beforeEach, describe, expect, it } from 'vitest';
import type { ByteRanges } from '../../src/backup/pack/byte-ranges.ts';
import type { BackupTarget, TargetPart } from '../../src/backup/target/target.ts';

export interface TargetSetup {
  /** A new target without objects; its folder holds nothing of another job. */
  readonly open: () => Promise<BackupTarget>;
  /** The same with a lock of a day; undefined where this kind of target has none. */
  readonly openLocked?: (() => Promise<BackupTarget>) | undefined;
}

const KEY = 'app_full_20250405T120000Z_001.tar.zst';
const ATTRIBUTES = { partBytes: 8 * 1024 * 1024, tags: { env: 'production' }, metadata: { job: 'app' } };

/** The one conformance suite of the BackupTarget contract, run for every form of it. */
export function backupTargetSuite(name: string, { open, openLocked }: TargetSetup): void {
  describe(`${name} keeps the BackupTarget contract`, () => {
    let target: BackupTarget;
    beforeEach(async () => {
      target = await open();
      return async () => await target[Symbol.asyncDispose]();
    });

    it('has what was put, and nothing else', async () => {
      expect(await keysOf(target)).toEqual([]);
      expect(await target.head('a')).toBeUndefined();
      expect(await target.read('a')).toBeUndefined();
      await target.put('a', Buffer.from('one'));
      const first = await target.head('a');
      await target.put('a', Buffer.from('other'));
      await target.put('ü b+%.manifest', Buffer.from(''));
      const second = await target.head('a');
      expect(second).toMatchObject({ key: 'a', size: 5 });
      expect(second!.etag).not.toBe(first!.etag);
      expect(Math.abs(second!.modifiedMs - Date.now())).toBeLessThan(600_000);
      expect(await keysOf(target)).toEqual(['a', 'ü b+%.manifest']);
      expect(await bytesOf((await target.read('ü b+%.manifest'))!, 0, 0)).toHaveLength(0);
    });

    it('puts an object where none stands', async () => {
      expect(await target.putIfAbsent('a', Buffer.from('one'))).toBe(true);
      expect(await target.putIfAbsent('a', Buffer.from('other'))).toBe(false);
      expect((await bytesOf((await target.read('a'))!, 0, 3)).toString()).toBe('one');
    });

    it('reads any range, any number of times, of one version', async () => {
      const bytes = randomBytes(300_000);
      await target.put('a', bytes);
      const object = (await target.read('a'))!;
      expect(object.size).toBe(bytes.length);
      for (const [start, end] of [
        [0, 1],
        [299_999, 300_000],
        [1000, 200_000],
        [0, 300_000],
        [7, 7],
      ] as const)
        expect(await bytesOf(object, start, end)).toEqual(bytes.subarray(start, end));
      // Left early.
      for await (const piece of object.read(0, 300_000)) {
        expect(piece.length).toBeGreaterThan(0);
        break;
      }
      await target.put('a', Buffer.from('x'));
      await expect(bytesOf(object, 0, 10)).rejects.toMatchObject({ code: 'FILE_CHANGED' });
    });

    it('makes an object of its parts, and not before', async () => {
      const part = Math.max(target.capabilities.leastPartBytes, 100_000);
      const bytes = randomBytes(2 * part + 5);
      const upload = { key: KEY, id: await target.begin(KEY, { ...ATTRIBUTES, partBytes: part }) };
      const parts = [0, 1, 2].map((at) => partOf(at + 1, bytes.subarray(at * part, (at + 1) * part)));
      // In any order, several at a time, and one over an earlier one.
      await target.putPart(upload, partOf(2, randomBytes(part)));
      const [third, first, second] = await Promise.all(
        [parts[2]!, parts[0]!, parts[1]!].map((each) => target.putPart(upload, each)),
      );
      expect(await keysOf(target)).toEqual([]);
      const stored = await target.parts(upload);
      expect([...stored!].toSorted(([a], [b]) => a - b)).toEqual([
        [1, { size: part, etag: first }],
        [2, { size: part, etag: second }],
        [3, { size: 5, etag: third }],
      ]);
      const etags = [first!, second!, third!];
      const made = await target.complete(upload, etags, bytes.length);
      expect(made).toMatchObject({ key: KEY, size: bytes.length });
      // Only the answer may have been lost.
      expect(await target.complete(upload, etags, bytes.length)).toMatchObject({ size: bytes.length });
      expect(await target.head(KEY)).toMatchObject({ size: bytes.length });
      const object = (await target.read(KEY))!;
      expect(await bytesOf(object, part - 3, part + 3)).toEqual(bytes.subarray(part - 3, part + 3));
      expect(await collected(target.uploads())).toEqual([]);
    });

    it('refuses a part that was damaged on its way', async () => {
      const upload = { key: KEY, id: await target.begin(KEY, ATTRIBUTES) };
      const { md5 } = partOf(1, Buffer.from('one'));
      const damaged = { number: 1, bytes: Buffer.from('two'), md5 };
      await expect(target.putPart(upload, damaged)).rejects.toMatchObject({ code: expect.any(String) });
      expect((await target.parts(upload))?.size ?? 0).toBe(0);
      await target.abort(upload);
    });

    it('tells of uploads under way, and drops them', async () => {
      const upload = { key: KEY, id: await target.begin(KEY, ATTRIBUTES) };
      await target.putPart(upload, partOf(1, Buffer.from('one')));
      const [found, ...more] = await collected(target.uploads());
      expect(found).toMatchObject(upload);
      expect(more).toEqual([]);
      expect(Math.abs(found!.startedMs - Date.now())).toBeLessThan(600_000);
      await target.abort(upload);
      await target.abort(upload);
      expect(await collected(target.uploads())).toEqual([]);
      expect(await target.parts(upload)).toBeUndefined();
      await expect(target.complete(upload, ['x'], 3)).rejects.toMatchObject({ code: expect.any(String) });
      expect(await target.head(KEY)).toBeUndefined();
    });

    it('removes an object, and one that is gone is fine', async () => {
      await target.put('a', Buffer.from('one'));
      expect(await target.remove('a')).toBe('removed');
      expect(await target.remove('a')).toBe('absent');
      expect(await target.lockedUntil('a')).toBeUndefined();
      expect(await keysOf(target)).toEqual([]);
    });

    it('stops when it is told to', async () => {
      const signal = AbortSignal.abort(new Error('enough'));
      await expect(collected(target.list({ signal }))).rejects.toThrow('enough');
      await expect(target.put('a', Buffer.from('one'), { signal })).rejects.toThrow('enough');
      expect(await target.head('a')).toBeUndefined();
    });
  });

  describe.skipIf(openLocked === undefined)(`${name} with locks`, () => {
    it('keeps what is locked, and lengthens a lock but never shortens it', async () => {
      await using target = await openLocked!();
      await target.put('a', Buffer.from('one'));
      const day = Date.now() + 86_400_000;
      expect(Math.abs((await target.lockedUntil('a'))! - day)).toBeLessThan(600_000);
      expect(await target.remove('a')).toBe('locked');
      expect(await target.head('a')).toMatchObject({ size: 3 });
      await target.lock('a', 'governance', day + 86_400_000);
      await target.lock('a', 'governance', day);
      expect(Math.abs((await target.lockedUntil('a'))! - day - 86_400_000)).toBeLessThan(600_000);
    });
  });
}

function partOf(number: number, bytes: Uint8Array): TargetPart {
  return { number, bytes, md5: createHash('md5').update(bytes).digest('base64') };
}

async function collected<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}

async function keysOf(target: BackupTarget): Promise<string[]> {
  return (await collected(target.list())).map(({ key }) => key).toSorted();
}

async function bytesOf(object: ByteRanges, start: number, end: number): Promise<Buffer> {
  return Buffer.concat(await collected(object.read(start, end)));
}
