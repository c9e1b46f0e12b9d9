import { describe, expect, it } from 'vitest';
import { sameVersion } from '../../../src/model/file-entry.ts';
import { fileAt, listAll, listPaths, putBytes } from './files.ts';
import { type Subject } from './subject.ts';

export function listSuite(subject: Subject): void {
  describe('list', () => {
    it('tells every file at or below a prefix once, with size and mtime', async () => {
      const files = [];
      for (const path of ['a', 'b/a', 'b/c/d', 'b/c/e', 'bc/a', 'b c'])
        files.push(await putBytes(subject.store, path, path));
      for (const [prefix, expected] of [
        ['', ['a', 'b c', 'b/a', 'b/c/d', 'b/c/e', 'bc/a']],
        ['b', ['b/a', 'b/c/d', 'b/c/e']],
        ['b/c', ['b/c/d', 'b/c/e']],
        ['b/c/d', ['b/c/d']],
        ['b/x', []],
        ['a/x', []],
      ] as const)
        expect(await listPaths(subject.store, prefix)).toEqual(expected);
      for (const found of await listAll(subject.store)) {
        const file = files.find(({ path }) => path === found.path)!;
        expect(found.size).toBe(file.size);
        expect(!subject.isFolder || sameVersion(found, file)).toBe(true);
      }
    });

    it('tells whether it tells mtimes', () => {
      expect(subject.store.capabilities).toEqual({ listedMtime: subject.isFolder });
    });

    it('tells when a file was published where it does not tell its mtime', async ({ skip }) => {
      skip(subject.isFolder, 'its mtime is told');
      // A server may round to seconds, and its clock may not be ours.
      const minuteUs = 60_000_000;
      const beforeUs = Date.now() * 1000 - minuteUs;
      const file = await putBytes(subject.store, 'a', 'a');
      const [listed] = await listAll(subject.store);
      expect(listed?.mtimeUs).toBeGreaterThan(beforeUs);
      expect(listed?.mtimeUs).toBeLessThan(beforeUs + 3 * minuteUs);
      expect(sameVersion((await subject.store.stat(file.path))!, file)).toBe(true);
    });

    it('does not tell unfinished uploads', async () => {
      const upload = await subject.begin(fileAt('d/f', 10));
      await upload.write(Buffer.from('half '));
      expect(await listAll(subject.store)).toEqual([]);
      await upload.suspend();
      expect(await listAll(subject.store)).toEqual([]);
    });

    it('can be left early', async () => {
      for (const path of ['a', 'b', 'c']) await putBytes(subject.store, path, path);
      for await (const file of subject.store.list('')) {
        expect(file.size).toBe(1);
        break;
      }
    });
  });
}
