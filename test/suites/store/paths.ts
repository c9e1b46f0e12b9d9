import { describe, expect, it } from 'vitest';
import { digestOf } from '../../../src/model/digest.ts';
import { parseRelPath } from '../../../src/model/rel-path.ts';
import { fileAt, listAll, listPaths, putBytes, xxh64 } from './files.ts';
import { type Subject, whole } from './subject.ts';

const NO_FOLDERS = 'there are no folders here';

export function pathSuite(subject: Subject): void {
  describe('paths', () => {
    it.each([
      [' '],
      ['two words'],
      ['line\nbreak'],
      [`quotes'"\`$(x)`],
      ['-rf'],
      ['a+b=c&d?e#f;g@h:i,j*k'],
      ['100% sure %20 %2B'],
      ['tab\tand\u0001control'],
      ['carriage\rreturn'],
      ['<&amp;>'],
      ['trailing space /leading'],
      ['\u{10FFFF}\u200b'],
      ['backup~'],
      ['.hidden/.dot'],
      ['...'],
      ['back\\slash'],
      ['%2e%2e%2f'],
      ['😀/наименование'],
      ['a\u0301 and \u00e1'],
      ['\uFFFD'],
      [`${'s'.repeat(255)}/${'é'.repeat(127)}x`],
      [Array.from({ length: 200 }, (_, i) => `d${i}`).join('/')],
      ['__proto__/constructor'],
      ['dev/put-1'],
    ])('may be %j', async (path) => {
      const file = await putBytes(subject.store, path, path);
      expect(await subject.kept(file)).toEqual(whole(Buffer.from(path)));
      expect(await listPaths(subject.store)).toEqual([path]);
      const upload = await subject.begin(fileAt(`uploaded/${path.split('/').at(-1)}`, 1));
      await upload.write(Buffer.from('y'));
      await upload.commit(digestOf('xxh64', Buffer.from('y')));
      expect(await listAll(subject.store)).toHaveLength(2);
    });

    it('that differ only in case or Unicode form are kept apart or one replaces the other, whole', async () => {
      await putBytes(subject.store, 'd/a\u0301', 'decomposed');
      await putBytes(subject.store, 'd/\u00e1', 'composed');
      expect((await subject.store.stat(parseRelPath('d/\u00e1')))!.size).toBe(8);
    });

    it('of a file and of one below it are kept both where there are no folders', async ({ skip }) => {
      skip(subject.isFolder, 'there are folders here');
      const file = await putBytes(subject.store, 'd/f', 'file');
      const below = await putBytes(subject.store, 'd/f/below', 'below');
      expect(await subject.kept(file)).toEqual(whole('file'));
      expect(await subject.kept(below)).toEqual(whole('below'));
      expect(await listPaths(subject.store, 'd/f')).toEqual(['d/f', 'd/f/below']);
    });

    it('conflict where a file is and a folder is needed', async ({ skip }) => {
      skip(!subject.isFolder, NO_FOLDERS);
      const old = await putBytes(subject.store, 'd/f', 'file');
      await expect(putBytes(subject.store, 'd/f/below', 'x')).rejects.toMatchObject({
        code: 'PATH_CONFLICT',
        retryable: false,
      });
      await expect(putBytes(subject.store, 'd/f/far/below', 'x')).rejects.toMatchObject({
        code: 'PATH_CONFLICT',
      });
      expect(await subject.kept(old)).toEqual(whole('file'));
      expect(await subject.kept(fileAt('d/f/below', 0))).toBeUndefined();
    });

    it('conflict where a folder is and a file is put', async ({ skip }) => {
      skip(!subject.isFolder, NO_FOLDERS);
      const inside = await putBytes(subject.store, 'd/f/inside', 'file');
      for (const path of ['d/f', 'd'])
        await expect(putBytes(subject.store, path, 'x')).rejects.toMatchObject({ code: 'PATH_CONFLICT' });
      expect(await subject.kept(inside)).toEqual(whole('file'));
      expect(await subject.store.stat(parseRelPath('d/f'))).toBeUndefined();
      expect(await subject.store.read(parseRelPath('d/f'))).toBeUndefined();
    });

    it('conflict for uploads as well, at the begin or at the commit', async ({ skip }) => {
      skip(!subject.isFolder, NO_FOLDERS);
      await putBytes(subject.store, 'd/f', 'file');
      for (const path of ['d/f/below', 'd']) {
        const attempt = async (): Promise<void> =>
          (await subject.begin(fileAt(path, 0))).commit(xxh64(Buffer.alloc(0)).value);
        await expect(attempt()).rejects.toMatchObject({ code: 'PATH_CONFLICT' });
      }
      expect(await listAll(subject.store)).toHaveLength(1);
    });
  });
}
