import { mkdirSync, readdirSync, readFileSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, type TestContext } from 'vitest';
import { parseRelPath } from '../../src/model/rel-path.ts';
import { listPaths, manyOutcomes, putBytes, wholeFile } from '../suites/store/files.ts';
import { useStoreFolder } from './folder.ts';
import { begin, CONTENT, finish, LARGE, leavePart } from './large-file.ts';
import { mountTmpfs } from './tmpfs.ts';

const folder = useStoreFolder();

/** Mounts 1 MiB at `path` for this test, which is skipped where that can't be done. */
function mount({ skip }: TestContext, path: string): void {
  const unmount = mountTmpfs(path);
  if (unmount === undefined) skip('no tmpfs can be mounted here');
  else folder.afterwards(unmount);
}

/** Leaves `bytes` of the store's disk free. */
function fillUpTo(bytes: number): string {
  const { bavail, bsize } = statfsSync(folder.root);
  const filler = join(folder.root, 'filler');
  writeFileSync(filler, Buffer.alloc(bavail * bsize - bytes));
  return filler;
}

it('answers STORE_FULL when the disk is full, keeps nothing of the file and goes on with others', async (context) => {
  mount(context, folder.root);
  const store = await folder.open();
  const filler = fillUpTo(64 * 1024);
  await expect(putBytes(store, 'd/large', CONTENT)).rejects.toMatchObject({
    code: 'STORE_FULL',
    retryable: true,
    hint: expect.any(String),
  });
  expect(await folder.staged()).toEqual([]);
  await putBytes(store, 'd/small', 'x');
  expect(await listPaths(store, 'd')).toEqual(['d/small']);
  rmSync(filler);
  await putBytes(store, 'd/large', CONTENT);
});

it('refuses of many files at once only those that the disk has no room for', async (context) => {
  mount(context, folder.root);
  const store = await folder.open();
  fillUpTo(512 * 1024);
  const { outcome, told } = manyOutcomes();
  const large = Array.from({ length: 10 }, (_, i) => wholeFile(`d/${i}`, Buffer.alloc(100_000, 'x')));
  await store.putMany([...large, wholeFile('d/small', 'x')], outcome);
  expect(told).toHaveLength(11);
  const kept = told.flatMap(([path, result]) => (result === 'kept' ? [path] : []));
  expect(kept.length).toBeGreaterThan(2);
  expect(kept.length).toBeLessThan(7);
  expect(new Set(told.map(([, result]) => result))).toEqual(new Set(['kept', 'STORE_FULL']));
  expect(await folder.staged()).toEqual([]);
  expect(await listPaths(store, 'd')).toEqual(kept.toSorted());
});

it('goes on with an upload that filled the disk when there is room again', async (context) => {
  mount(context, folder.root);
  const store = await folder.open();
  const filler = fillUpTo(100 * 1024);
  const upload = await begin(store);
  const write = async (): Promise<void> => {
    while (upload.offset < CONTENT.length)
      await upload.write(CONTENT.subarray(upload.offset, upload.offset + 20_000));
  };
  await expect(write()).rejects.toMatchObject({ code: 'STORE_FULL', retryable: true });
  await expect(upload.write(CONTENT.subarray(0, 1))).rejects.toMatchObject({ code: 'STORE_FULL' });
  await upload.suspend();
  rmSync(filler);
  const next = await begin(store);
  expect(next.offset).toBeGreaterThanOrEqual(upload.offset);
  expect(next.offset).toBeGreaterThan(0);
  await finish(next);
  expect(readFileSync(join(folder.root, LARGE.path))).toEqual(CONTENT);
});

it('opens on a full disk, to read and to take files when there is room again', async (context) => {
  mount(context, folder.root);
  writeFileSync(join(folder.root, 'kept'), 'x');
  fillUpTo(0);
  const useUp = (): void => {
    for (let i = 0; i < 100; i += 1) writeFileSync(join(folder.root, `empty${i}`), '');
  };
  expect(useUp).toThrow('ENOSPC');
  const store = await folder.open();
  expect(await listPaths(store, 'kept')).toEqual(['kept']);
  await expect(putBytes(store, 'd/f', 'x')).rejects.toMatchObject({ code: 'STORE_FULL' });
  for (const name of readdirSync(folder.root)) if (name.startsWith('empty')) rmSync(join(folder.root, name));
  rmSync(join(folder.root, 'filler'));
  await putBytes(store, 'd/f', 'x');
});

it('keeps minFreeBytes free, counting what it has taken since it last looked', async (context) => {
  mount(context, folder.root);
  const store = await folder.open({ minFreeBytes: 512 * 1024 });
  const results = await Promise.allSettled(
    Array.from({ length: 10 }, (_, i) => putBytes(store, `d/${i}`, Buffer.alloc(100_000))),
  );
  const { bavail, bsize } = statfsSync(folder.root);
  expect(bavail * bsize).toBeGreaterThanOrEqual(500 * 1024);
  const taken = results.filter(({ status }) => status === 'fulfilled').length;
  expect(taken).toBeGreaterThan(2);
  expect(taken).toBeLessThan(7);
});

it('says so when another file system is mounted inside the store, and keeps the bytes', async (context) => {
  mkdirSync(join(folder.root, 'dev'));
  mount(context, join(folder.root, 'dev'));
  const store = await folder.open();
  const expected = { code: 'STORE_FAILED', hint: expect.stringContaining('one file system') };
  await expect(putBytes(store, 'dev/f', 'x')).rejects.toMatchObject(expected);
  await expect(finish(await begin(store))).rejects.toMatchObject(expected);
  expect((await begin(store)).offset).toBe(CONTENT.length);
  await putBytes(store, 'other/f', 'x');
  expect(readdirSync(join(folder.root, 'dev'))).toEqual(['DC1']);
});

it('throws an upload away that it can neither rename nor copy, and begins anew', async (context) => {
  mount(context, folder.root);
  const store = await folder.open();
  const part = await leavePart(folder, store);
  writeFileSync(part, CONTENT.subarray(0, 150_000));
  const { rename } = await import('node:fs/promises');
  const theirs = join(folder.root, '.isync/staging/0123456789abcdef-1-1-00');
  mkdirSync(theirs);
  await rename(part, part.replace(/parts(?=\/)/, '0123456789abcdef-1-1-00'));
  fillUpTo(100 * 1024);
  expect((await begin(store)).offset).toBe(0);
  expect(readdirSync(theirs)).toEqual([]);
  expect(await store.stat(parseRelPath('dev/DC1/large'))).toBeUndefined();
});

it('makes room by retiring where there is none at all, and seals without', async (context) => {
  mount(context, folder.root);
  const store = await folder.open({ recordSeals: true });
  for (const name of ['DC1', 'DC2']) await putBytes(store, `edge1/${name}/a`, 'x'.repeat(5000));
  await store.sync(parseRelPath('edge1/DC1'));
  fillUpTo(0);
  const full = { code: 'ENOSPC' };
  expect(() => {
    for (let i = 0; i < 200; i++) writeFileSync(join(folder.root, `inode-${i}`), '');
  }).toThrow(expect.objectContaining(full));
  expect(() => mkdirSync(join(folder.root, 'more'))).toThrow(expect.objectContaining(full));
  await store.sync(parseRelPath('edge1/DC2'));
  const { retirements } = store;
  for await (const sealed of retirements?.sealedOf('edge1') ?? [])
    expect(
      await retirements?.retire(sealed, { notAfterMs: Date.now() + 1e9, objection: () => undefined }),
    ).toMatchObject({ outcome: 'retired', files: 1 });
  expect(readdirSync(join(folder.root, 'edge1'))).toEqual(['DC2']);
  expect(await retirements?.retiredAt(parseRelPath('edge1/DC1'))).toBeDefined();
});
