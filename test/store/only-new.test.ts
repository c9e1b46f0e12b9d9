import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { putBytes } from '../suites/store/files.ts';
import { useStoreFolder } from './folder.ts';
import { begin, finish, LARGE } from './large-file.ts';

const folder = useStoreFolder();

describe('a store of only new files', () => {
  it('refuses what has a name already, the same content too, and leaves nothing staged', async () => {
    const store = await folder.open({ onlyNew: true });
    await putBytes(store, 'd/f', 'first');
    for (const content of ['first', 'other'])
      await expect(putBytes(store, 'd/f', content)).rejects.toMatchObject({
        code: 'NOT_OVERWRITTEN',
        retryable: false,
        path: 'd/f',
      });
    await finish(await begin(store));
    await expect(finish(await begin(store))).rejects.toMatchObject({
      code: 'NOT_OVERWRITTEN',
      path: LARGE.path,
    });
    expect(readFileSync(join(folder.root, 'd/f'), 'utf8')).toBe('first');
    expect(await folder.staged()).toEqual([]);
  });

  it('refuses over a symlink, and a folder', async () => {
    const store = await folder.open({ onlyNew: true });
    mkdirSync(join(folder.root, 'd/folder'), { recursive: true });
    writeFileSync(join(folder.outside, 'f'), 'outside');
    symlinkSync(join(folder.outside, 'f'), join(folder.root, 'd/link'));
    await expect(putBytes(store, 'd/link', 'x')).rejects.toMatchObject({ code: 'NOT_OVERWRITTEN' });
    await expect(putBytes(store, 'd/folder', 'x')).rejects.toMatchObject({ code: 'PATH_CONFLICT' });
    expect(readFileSync(join(folder.outside, 'f'), 'utf8')).toBe('outside');
  });

  it('lets exactly one of two win that publish at the same time', async () => {
    const stores = [await folder.open({ onlyNew: true }), await folder.open({ onlyNew: true })];
    for (let i = 0; i < 20; i += 1) {
      const results = await Promise.allSettled(
        stores.map((store, n) => putBytes(store, `d/${i}`, `by ${n}`)),
      );
      const won = results.findIndex(({ status }) => status === 'fulfilled');
      expect(results[1 - won]).toMatchObject({ status: 'rejected', reason: { code: 'NOT_OVERWRITTEN' } });
      expect(readFileSync(join(folder.root, `d/${i}`), 'utf8')).toBe(`by ${won}`);
    }
  });
});
