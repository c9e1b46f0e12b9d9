import { describe, expect, it } from 'vitest';
import { parseRelPath } from '../../../src/model/rel-path.ts';
import { fileAt, listPaths, putBytes, xxh64 } from './files.ts';
import { type Subject, whole } from './subject.ts';

export function removeSuite(subject: Subject): void {
  const remove = (path: string): Promise<void> => subject.store.remove(parseRelPath(path));

  describe('remove', () => {
    it('takes one file and no other, for good', async () => {
      for (const path of ['dev/DC1/a', 'dev/DC1/ab', 'dev/DC2/a', 'f'])
        await putBytes(subject.store, path, path);
      await remove('dev/DC1/a');
      await remove('f');
      expect(await subject.kept(fileAt('dev/DC1/a', 9))).toBeUndefined();
      await subject.reopen();
      expect(await listPaths(subject.store)).toEqual(['dev/DC1/ab', 'dev/DC2/a']);
    });

    it('is done where there is no such file', async () => {
      await putBytes(subject.store, 'd/f', 'x');
      for (const path of ['d', 'd/g', 'd/f/below', 'none/at/all', 'd/f', 'd/f', 'd']) await remove(path);
      expect(await listPaths(subject.store)).toEqual([]);
    });

    it('takes the folders that it empties, and no more', async () => {
      await putBytes(subject.store, 'dev/DC1/deep/down/f', 'x');
      await putBytes(subject.store, 'dev/DC2/f', 'x');
      await remove('dev/DC1/deep/down/f');
      // There is a folder at DC1 no more, so a file can be.
      const file = await putBytes(subject.store, 'dev/DC1', 'file');
      expect(await subject.kept(file)).toEqual(whole('file'));
      expect(await listPaths(subject.store)).toEqual(['dev/DC1', 'dev/DC2/f']);
    });

    it("leaves the store's own alone, and the store usable when it is empty", async () => {
      const { id } = await subject.store.identity();
      await putBytes(subject.store, 'd/f', 'x');
      for (const own of ['.isync', '.isync/store-id', '.ISYNC/store-id']) await remove(own);
      await remove('d/f');
      expect((await subject.store.identity()).id).toBe(id);
      const file = await putBytes(subject.store, 'd/f', 'again');
      expect(await subject.kept(file)).toEqual(whole('again'));
    });

    it('comes in the order of the calls with puts of its path', async () => {
      const steps = Array.from({ length: 20 }, (_, i) => [
        putBytes(subject.store, 'd/f', `version ${i}`, i),
        remove('d/f'),
      ]).flat();
      await Promise.all(steps);
      expect(await listPaths(subject.store)).toEqual([]);
      const last = [remove('d/f'), putBytes(subject.store, 'd/f', 'last'), remove('d/g')];
      await Promise.all(last);
      expect(await listPaths(subject.store)).toEqual(['d/f']);
    });

    it('fails no put into the folder that it empties, here or in another process', async () => {
      await using other = await subject.open();
      const rounds = async (name: string, store = subject.store): Promise<void> => {
        for (let i = 0; i < 30; i++) {
          await putBytes(store, `dev/DC1/deep/${name}`, `${i}`, i);
          await store.remove(parseRelPath(`dev/DC1/deep/${name}`));
        }
        await putBytes(store, `dev/DC1/deep/${name}`, 'last');
      };
      await Promise.all([rounds('a'), rounds('b'), rounds('c', other), rounds('d', other)]);
      expect(await listPaths(subject.store, 'dev')).toEqual(
        ['a', 'b', 'c', 'd'].map((name) => `dev/DC1/deep/${name}`),
      );
    });

    it('does not touch an upload under way', async () => {
      const upload = await subject.begin(fileAt('d/f', 3));
      await upload.write(Buffer.from('abc'));
      await remove('d/f');
      const file = fileAt('d/f', 3);
      await upload.commit(xxh64('abc').value);
      expect(await subject.kept(file)).toEqual(whole('abc'));
    });
  });
}
