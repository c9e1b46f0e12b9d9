import { mkdirSync, readFileSync, statSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { digestOf } from '../../src/model/digest.ts';
import { parseRelPath } from '../../src/model/rel-path.ts';
import { manyOutcomes, putBytes, wholeFile } from '../suites/store/files.ts';
import { useStoreFolder } from './folder.ts';
import { begin, CONTENT, finish, LARGE } from './large-file.ts';

const folder = useStoreFolder();

describe('an immutable store', () => {
  it('keeps the first content for ever, and takes it again', async () => {
    const store = await folder.open({ immutable: true });
    await putBytes(store, 'd/f', 'first', 1);
    await putBytes(store, 'd/f', 'first', 1);
    await putBytes(store, 'd/f', 'first', 2);
    for (const content of ['other', 'longer than before'])
      await expect(putBytes(store, 'd/f', content)).rejects.toMatchObject({
        code: 'IMMUTABLE',
        retryable: false,
      });
    expect(readFileSync(join(folder.root, 'd/f'), 'utf8')).toBe('first');
    expect(statSync(join(folder.root, 'd/f')).nlink).toBe(1);
    expect(await folder.staged()).toEqual([]);
  });

  it('judges each of many files at once', async () => {
    const store = await folder.open({ immutable: true });
    for (const name of ['same', 'different']) await putBytes(store, `d/${name}`, 'first');
    const { outcome, codes } = manyOutcomes();
    const [same, different, fresh] = [
      ['same', 'first'],
      ['different', 'other'],
      ['new', 'x'],
    ] as const;
    await store.putMany(
      [same, different, fresh].map(([name, text]) => wholeFile(`d/${name}`, text)),
      outcome,
    );
    expect(codes()).toEqual({ 'd/same': 'kept', 'd/different': 'IMMUTABLE', 'd/new': 'kept' });
    expect(readFileSync(join(folder.root, 'd/different'), 'utf8')).toBe('first');
    expect(await folder.staged()).toEqual([]);
  });

  it('lets exactly one content of each name win where two put many at the same time', async () => {
    const stores = [await folder.open({ immutable: true }), await folder.open({ immutable: true })];
    const all = stores.map(() => manyOutcomes());
    await Promise.all(
      stores.map((store, n) =>
        store.putMany(
          Array.from({ length: 50 }, (_, i) => wholeFile(`d/${i}`, `by ${n}`)),
          all[n]!.outcome,
        ),
      ),
    );
    for (let i = 0; i < 50; i++) {
      const results = all.map(({ codes }) => codes()[`d/${i}`]);
      expect(new Set(results)).toEqual(new Set(['IMMUTABLE', 'kept']));
      expect(readFileSync(join(folder.root, `d/${i}`), 'utf8')).toBe(`by ${results.indexOf('kept')}`);
    }
  });

  it('refuses uploads as well, of another size before the first byte', async () => {
    const store = await folder.open({ immutable: true });
    await finish(await begin(store));
    await finish(await begin(store));
    const options = { algorithm: 'xxh64', resume: true } as const;
    await expect(store.begin({ ...LARGE, size: 5 }, options)).rejects.toMatchObject({ code: 'IMMUTABLE' });
    const upload = await begin(store);
    await upload.write(Buffer.alloc(CONTENT.length));
    await expect(upload.commit(digestOf('xxh64', Buffer.alloc(CONTENT.length)))).rejects.toMatchObject({
      code: 'IMMUTABLE',
    });
    expect(readFileSync(join(folder.root, LARGE.path))).toEqual(CONTENT);
    expect(await folder.staged()).toEqual([]);
  });

  it('lets exactly one of two contents win, also of two processes at the same time', async () => {
    const stores = [await folder.open({ immutable: true }), await folder.open({ immutable: true })];
    for (let i = 0; i < 20; i += 1) {
      const results = await Promise.allSettled(
        stores.map((store, n) => putBytes(store, `d/${i}`, `by ${n}`)),
      );
      const won = results.findIndex(({ status }) => status === 'fulfilled');
      expect(results[1 - won]).toMatchObject({ status: 'rejected', reason: { code: 'IMMUTABLE' } });
      expect(readFileSync(join(folder.root, `d/${i}`), 'utf8')).toBe(`by ${won}`);
    }
  });

  it('removes nothing that is kept', async () => {
    const store = await folder.open({ immutable: true });
    await putBytes(store, 'd/f', 'first');
    await expect(store.remove(parseRelPath('d/f'))).rejects.toMatchObject({ code: 'IMMUTABLE' });
    expect(readFileSync(join(folder.root, 'd/f'), 'utf8')).toBe('first');
    await store.remove(parseRelPath('d/none'));
  });

  it('does not replace a symlink or a folder either', async () => {
    const store = await folder.open({ immutable: true });
    symlinkSync(join(folder.outside, 'target'), join(folder.root, 'link'));
    mkdirSync(join(folder.root, 'folder'));
    for (const path of ['link', 'folder'])
      await expect(putBytes(store, path, 'x')).rejects.toMatchObject({ code: 'PATH_CONFLICT' });
  });
});
