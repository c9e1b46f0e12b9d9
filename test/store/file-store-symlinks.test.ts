import { execFileSync } from 'node:child_process';
import { lstatSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseRelPath } from '../../src/model/rel-path.ts';
import { digestIn, fileAt, listPaths, putBytes } from '../suites/store/files.ts';
import { useStoreFolder } from './folder.ts';
import { begin, finish } from './large-file.ts';

const folder = useStoreFolder();

describe.each([
  ['the thread pool', false],
  ['its own thread', true],
])('for a store that is looked at and read by %s, symlinks that somebody planted', (_, readsDirectly) => {
  it('in place of a folder are a conflict, and nothing is written or read through them', async () => {
    const store = await folder.open({ readsDirectly });
    mkdirSync(join(folder.outside, 'sub'));
    writeFileSync(join(folder.outside, 'sub/secret'), 'secret');
    symlinkSync(folder.outside, join(folder.root, 'dev'));
    for (const path of ['dev/f', 'dev/sub/f', 'dev/sub/secret']) {
      await expect(putBytes(store, path, 'x')).rejects.toMatchObject({ code: 'PATH_CONFLICT' });
      await expect(store.begin(fileAt(path, 1), { algorithm: 'xxh64', resume: true })).rejects.toMatchObject({
        code: 'PATH_CONFLICT',
      });
    }
    await expect(store.sync(parseRelPath('dev/sub'))).rejects.toMatchObject({ code: 'PATH_CONFLICT' });
    const secret = parseRelPath('dev/sub/secret');
    expect(await store.stat(secret)).toBeUndefined();
    expect(await digestIn(store, secret)).toBeUndefined();
    for (const prefix of ['', 'dev', 'dev/sub', 'dev/sub/secret'])
      expect(await listPaths(store, prefix)).toEqual([]);
    expect(readFileSync(join(folder.outside, 'sub/secret'), 'utf8')).toBe('secret');
    expect(readdirSync(join(folder.outside, 'sub'))).toEqual(['secret']);
  });

  it('while an upload is under way are a conflict at its commit', async () => {
    const store = await folder.open({ readsDirectly });
    const upload = await begin(store);
    symlinkSync(folder.outside, join(folder.root, 'dev'));
    await expect(finish(upload)).rejects.toMatchObject({ code: 'PATH_CONFLICT' });
    expect(readdirSync(folder.outside)).toEqual([]);
  });

  it('in place of a file are no file, and are replaced themselves', async () => {
    const store = await folder.open({ readsDirectly });
    const target = join(folder.outside, 'target');
    writeFileSync(target, 'outside');
    mkdirSync(join(folder.root, 'd'));
    symlinkSync(target, join(folder.root, 'd/f'));
    expect(await store.stat(parseRelPath('d/f'))).toBeUndefined();
    expect(await digestIn(store, 'd/f')).toBeUndefined();
    expect(await listPaths(store)).toEqual([]);
    await putBytes(store, 'd/f', 'inside');
    expect(lstatSync(join(folder.root, 'd/f')).isFile()).toBe(true);
    expect(readFileSync(target, 'utf8')).toBe('outside');
  });

  it('and FIFOs hold up nobody', async () => {
    const store = await folder.open({ readsDirectly });
    execFileSync('mkfifo', [join(folder.root, 'fifo')]);
    expect(await digestIn(store, 'fifo')).toBeUndefined();
    expect(await listPaths(store)).toEqual([]);
  });
});
