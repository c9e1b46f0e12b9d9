import { randomBytes } from 'node:crypto';
import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { DIGEST_ALGORITHMS, digestOf } from '../../../src/model/digest.ts';
import { codeOf, digestIn, fileAt, listAll, putBytes, xxh64 } from './files.ts';
import { type Subject, whole } from './subject.ts';

export function putSuite(subject: Subject, many: number): void {
  describe('put', () => {
    it('keeps bytes, size and mtime, also after it is opened again', async () => {
      const bytes = randomBytes(5000);
      const file = await putBytes(subject.store, 'dev/DC1/a.bin', bytes);
      expect(await subject.kept(file)).toEqual(whole(bytes));
      await subject.reopen();
      expect(await subject.kept(file)).toEqual(whole(bytes));
    });

    it.each([0, 1, 1_000_000, -1_500_001, 4_000_000_000_000_001])(
      'keeps the mtime %i µs',
      async (mtimeUs) => {
        expect(await subject.kept(await putBytes(subject.store, 'f', 'x', mtimeUs))).toEqual(whole('x'));
      },
    );

    it('keeps an empty file', async () => {
      const file = await putBytes(subject.store, 'dev/empty', '');
      expect(await subject.kept(file)).toEqual(whole(Buffer.alloc(0)));
      expect(await listAll(subject.store)).toHaveLength(1);
    });

    it.each(DIGEST_ALGORITHMS)('checks and tells %s digests', async (algorithm) => {
      const bytes = randomBytes(100);
      const value = digestOf(algorithm, bytes);
      const file = fileAt('f', 100);
      await subject.store.put(file, bytes, { algorithm, value });
      expect(await digestIn(subject.store, file.path, algorithm)).toEqual(value);
      const wrong = { algorithm, value: digestOf(algorithm, Buffer.from('other')) };
      await expect(subject.store.put(fileAt('g', 100), bytes, wrong)).rejects.toMatchObject({
        code: 'DIGEST_MISMATCH',
      });
    });

    it('publishes nothing when the digest differs, and keeps the older version', async () => {
      const wrong = xxh64(Buffer.from('something else'));
      await expect(subject.store.put(fileAt('d/new', 3), Buffer.from('new'), wrong)).rejects.toMatchObject({
        code: 'DIGEST_MISMATCH',
      });
      expect(await subject.kept(fileAt('d/new', 0))).toBeUndefined();
      const old = await putBytes(subject.store, 'd/f', 'old');
      await expect(subject.store.put(fileAt('d/f', 3, 5), Buffer.from('new'), wrong)).rejects.toMatchObject({
        code: 'DIGEST_MISMATCH',
      });
      expect(await subject.kept(old)).toEqual(whole('old'));
    });

    it('refuses bytes that are fewer or more than announced', async () => {
      const bytes = Buffer.from('abc');
      for (const size of [2, 4])
        await expect(subject.store.put(fileAt('f', size), bytes, xxh64(bytes))).rejects.toMatchObject({
          code: 'DIGEST_MISMATCH',
        });
      expect(await subject.kept(fileAt('f', 0))).toBeUndefined();
    });

    it('replaces an earlier version', async () => {
      await putBytes(subject.store, 'd/f', 'a longer first version', 1_000_000);
      const second = await putBytes(subject.store, 'd/f', 'second', 2_000_000);
      expect(await subject.kept(second)).toEqual(whole('second'));
      expect(await listAll(subject.store)).toHaveLength(1);
    });

    it('takes the same file again', async () => {
      const file = await putBytes(subject.store, 'd/f', 'same');
      await putBytes(subject.store, 'd/f', 'same');
      await Promise.all([putBytes(subject.store, 'd/f', 'same'), putBytes(subject.store, 'd/f', 'same')]);
      expect(await subject.kept(file)).toEqual(whole('same'));
      expect(await listAll(subject.store)).toHaveLength(1);
    });

    it('lets the last of many versions put at the same time win', async () => {
      const versions = Array.from({ length: 50 }, (_, i) => `version ${i}`);
      await Promise.all(versions.map((text, i) => putBytes(subject.store, 'd/f', text, i)));
      expect(await subject.kept(fileAt('d/f', 10, 49))).toEqual(whole('version 49'));
    });

    it('does not depend on the bytes any more once it has resolved', async () => {
      const bytes = Buffer.from('before');
      const file = fileAt('f', 6);
      await subject.store.put(file, bytes, xxh64(bytes));
      bytes.fill('X');
      expect(await subject.kept(file)).toEqual(whole('before'));
    });

    it(`takes ${many} at once`, async () => {
      const puts = Array.from({ length: many }, (_, i) =>
        putBytes(subject.store, `dev/DC${i % 7}/f${i}`, `content of ${i}`),
      );
      await Promise.all(puts);
      const found = await listAll(subject.store);
      expect(found).toHaveLength(many);
      expect(new Set(found.map(({ path }) => path)).size).toBe(many);
      for (const i of [0, 1001, many - 1])
        expect(
          await subject.kept(fileAt(`dev/DC${i % 7}/f${i}`, Buffer.byteLength(`content of ${i}`))),
        ).toEqual(whole(Buffer.from(`content of ${i}`)));
    });

    it('fails one file of many alone', async () => {
      const bytes = Buffer.from('x');
      await putBytes(subject.store, 'd/a', 'x');
      const results = await Promise.allSettled([
        putBytes(subject.store, 'd/e', 'x'),
        subject.store.put(fileAt('d/b', 1), bytes, xxh64(Buffer.from('y'))),
        subject.store.put(fileAt('d/d', 2), bytes, xxh64(bytes)),
        putBytes(subject.store, 'd/c', 'x'),
      ]);
      expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected', 'fulfilled']);
      expect((await listAll(subject.store)).map(({ path }) => path)).toEqual(['d/a', 'd/c', 'd/e']);
    });
  });

  describe('readers', () => {
    it('never see a torn version while files are replaced', async () => {
      const contents = [Buffer.alloc(70_000, 'a'), Buffer.alloc(10, 'b'), Buffer.alloc(300_000, 'c')];
      const known = new Set(contents.map((each) => digestOf('xxh64', each).toString('hex')));
      const sizes = new Set(contents.map(({ length }) => length));
      const path = (await putBytes(subject.store, 'd/f', contents[0]!)).path;
      const writing = new AbortController();
      let reads = 0;
      const read = async (): Promise<void> => {
        while (!writing.signal.aborted) {
          const digest = await digestIn(subject.store, path).catch(codeOf);
          // In a bucket it is not read where it is replaced each time.
          expect([...known, 'FILE_CHANGED']).toContain(digest?.toString('hex'));
          expect(sizes).toContain((await subject.store.stat(path))!.size);
          reads += 1;
          await turn();
        }
      };
      const write = async (): Promise<void> => {
        try {
          for (let i = 0; i < 60; i += 1) {
            // Other versions by their mtimes, which a store may keep with an error of 1 µs.
            await putBytes(subject.store, 'd/f', contents[i % 3]!, 1000 * (i + 1));
            await turn();
          }
        } finally {
          writing.abort();
        }
      };
      await Promise.all([write(), read(), read(), read()]);
      expect(reads).toBeGreaterThan(0);
    });
  });
}
