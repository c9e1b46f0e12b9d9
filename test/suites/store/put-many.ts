import { describe, expect, it } from 'vitest';
import { parseRelPath } from '../../../src/model/rel-path.ts';
import type { WholeFile } from '../../../src/store/store.ts';
import { fileAt, listAll, listPaths, manyOutcomes, putBytes, wholeFile, xxh64 } from './files.ts';
import { type Subject, whole } from './subject.ts';

export function putManySuite(subject: Subject): void {
  describe('putMany', () => {
    it('keeps each file with its bytes, size and mtime, and tells of each once', async () => {
      const files = Array.from({ length: 300 }, (_, i) =>
        wholeFile(`dev/DC${i % 3}/sub/f${i}`, `content of ${i}`, i * 1_000_000),
      );
      const { outcome, told } = manyOutcomes();
      await subject.store.putMany(files, outcome);
      expect(told.map(([path, result]) => `${path} ${result}`).toSorted()).toEqual(
        files.map(({ file }) => `${file.path} kept`).toSorted(),
      );
      expect(await listAll(subject.store)).toHaveLength(300);
      for (const { file, bytes } of [files[0]!, files[151]!, files[299]!])
        expect(await subject.kept(file)).toEqual(whole(bytes));
    });

    it('takes none', async () => {
      const { outcome, told } = manyOutcomes();
      await subject.store.putMany([], outcome);
      expect(told).toEqual([]);
    });

    it('refuses each file for its own reason, and keeps the others', async () => {
      const good = await putBytes(subject.store, 'd/good', 'longer than the one to come');
      const files: WholeFile[] = [
        wholeFile('d/a', 'a'),
        { ...wholeFile('d/other', 'bytes'), digest: xxh64('of others') },
        { ...wholeFile('d/short', 'bytes'), file: fileAt('d/short', 6) },
        wholeFile('d/good', 'shorter'),
        wholeFile('d/b', 'b'),
      ];
      const { outcome, codes } = manyOutcomes();
      await subject.store.putMany(files, outcome);
      expect(codes()).toEqual({
        'd/a': 'kept',
        'd/other': 'DIGEST_MISMATCH',
        'd/short': 'DIGEST_MISMATCH',
        'd/good': 'SOURCE_DAMAGED',
        'd/b': 'kept',
      });
      expect(await listPaths(subject.store)).toEqual(['d/a', 'd/b', 'd/good']);
      expect(await subject.kept(good)).toEqual(whole('longer than the one to come'));
    });

    it('replaces what seems better where that is asked for', async () => {
      await putBytes(subject.store, 'd/f', 'longer than the one to come');
      const { outcome, codes } = manyOutcomes();
      const shorter = wholeFile('d/f', 'shorter');
      await subject.store.putMany([shorter], outcome, { replaceDamaged: true });
      expect(codes()).toEqual({ 'd/f': 'kept' });
      expect(await subject.kept(shorter.file)).toEqual(whole('shorter'));
    });

    it('compares what is nothing but zeros with what is kept', async () => {
      await putBytes(subject.store, 'd/zeros', Buffer.alloc(5));
      await putBytes(subject.store, 'd/text', 'bytes');
      const { outcome, codes } = manyOutcomes();
      const files = ['d/zeros', 'd/text'].map((path) => wholeFile(path, Buffer.alloc(5)));
      await subject.store.putMany(files, outcome);
      expect(codes()).toEqual({ 'd/zeros': 'kept', 'd/text': 'SOURCE_DAMAGED' });
    });

    it('keeps the order of all calls at one path', async () => {
      const { store } = subject;
      const { outcome, codes } = manyOutcomes();
      const versions = (name: string) => ['d/a', 'd/b', 'd/c'].map((path) => wholeFile(path, name, 5));
      await Promise.all([
        putBytes(store, 'd/a', 'put before', 1),
        store.putMany(versions('the first of two'), outcome),
        store.remove(parseRelPath('d/b')),
        putBytes(store, 'd/c', 'put between', 3),
        store.putMany(versions('the second of two').slice(0, 1), outcome),
        putBytes(store, 'd/c', 'put after', 7),
      ]);
      expect(codes()).toEqual({ 'd/a': 'kept', 'd/b': 'kept', 'd/c': 'kept' });
      expect(await listPaths(store)).toEqual(['d/a', 'd/c']);
      expect(await subject.kept(fileAt('d/a', 17, 5))).toEqual(whole('the second of two'));
      expect(await subject.kept(fileAt('d/c', 9, 7))).toEqual(whole('put after'));
    });

    it('is waited for when the store is closed, and refuses all afterwards', async () => {
      const files = Array.from({ length: 100 }, (_, i) => wholeFile(`d/${i}`, 'x'));
      const before = manyOutcomes();
      const put = subject.store.putMany(files, before.outcome);
      const closed = subject.store;
      await Promise.all([closed[Symbol.asyncDispose](), put]);
      expect(before.told.filter(([, result]) => result === 'kept')).toHaveLength(100);
      const after = manyOutcomes();
      await closed.putMany([wholeFile('d/late', 'x')], after.outcome);
      expect(after.codes()).toEqual({ 'd/late': 'BUSY' });
      await subject.reopen();
      expect(await listAll(subject.store)).toHaveLength(100);
    });
  });
}
