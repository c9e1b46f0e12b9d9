import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { Store } from '../../src/store/store.ts';
import { lacksRoot } from '../../harness/tools.ts';
import { putBytes } from '../suites/store/files.ts';
import { useStoreFolder } from './folder.ts';

const folder = useStoreFolder();

const idFile = () => join(folder.root, '.isync/store-id');

it('keeps the id in a file that stands there whole', async () => {
  const store = await folder.open();
  const { id } = await store.identity();
  expect(readFileSync(idFile(), 'utf8')).toBe(`${id}\n`);
  expect(readdirSync(join(folder.root, '.isync'))).toEqual(['staging', 'store-id']);
  expect(await folder.staged()).toEqual([idFile()]);
});

async function idOf(store: Store): Promise<string | undefined> {
  return (await store.identity()).id;
}

it('is the same in another process', async () => {
  const module = JSON.stringify(import.meta.resolve('../../src/store/file/file-store.ts'));
  const program = `
    import { openFileStore } from ${module};
    await using store = await openFileStore(process.argv[1]);
    process.stdout.write((await store.identity()).id);`;
  const told = execFileSync(process.execPath, ['--input-type=module', '-e', program, folder.root], {
    encoding: 'utf8',
  });
  expect(await idOf(await folder.open())).toBe(told);
});

it('is not made by those who only look, and found by them once it is there', async () => {
  const reader = await folder.open({ readOnly: true });
  expect(await idOf(reader)).toBeUndefined();
  expect(existsSync(join(folder.root, '.isync'))).toBe(false);
  const id = await idOf(await folder.open());
  expect(await idOf(reader)).toBe(id);
});

it('is another one when the folder was swapped for one with another store', async () => {
  const store = await folder.open();
  const before = await idOf(store);
  renameSync(folder.root, join(folder.outside, 'old'));
  mkdirSync(folder.root);
  // Nothing is written to whatever lies below a disk that was unmounted.
  await expect(store.identity()).rejects.toMatchObject({ code: 'STORE_MISSING', retryable: true });
  expect(readdirSync(folder.root)).toEqual([]);
  const other = await idOf(await folder.open());
  expect(other).not.toBe(before);
  expect(await idOf(store)).toBe(other);
});

it('is made anew where it is damaged', async () => {
  const store = await folder.open();
  const before = await idOf(store);
  writeFileSync(idFile(), '');
  const reader = await folder.open({ readOnly: true });
  expect(await idOf(reader)).toBeUndefined();
  const after = await idOf(store);
  expect(after).toMatch(/^[0-9a-f]{32}$/);
  expect(after).not.toBe(before);
  expect(await idOf(reader)).toBe(after);
});

it('is not read through a symlink', async () => {
  const store = await folder.open();
  const stranger = join(folder.outside, 'id');
  writeFileSync(stranger, `${'0'.repeat(32)}\n`);
  symlinkSync(stranger, idFile());
  await expect(store.identity()).rejects.toMatchObject({ code: 'PATH_CONFLICT' });
  expect(readFileSync(stranger, 'utf8')).toBe(`${'0'.repeat(32)}\n`);
});

it.skipIf(lacksRoot())('tells a disk that refuses it as a file that can not be kept', async () => {
  const store = await folder.open();
  await putBytes(store, 'a', 'a');
  for (const path of ['.isync', '.isync/staging']) chmodSync(join(folder.root, path), 0o500);
  process.seteuid?.(65534);
  try {
    await expect(store.identity()).rejects.toMatchObject({ code: 'STORE_FAILED', retryable: true });
  } finally {
    process.seteuid?.(0);
  }
});
