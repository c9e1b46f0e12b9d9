import { join } from 'node:path';
import { expect, it } from 'vitest';
import { renameTo, syncedBetween, syncsOf, useSystemCalls } from './system-calls.ts';

const { folder, trace } = useSystemCalls();

it('makes a folder durable, and those above it, before it says so', (context) => {
  const calls = trace(context, `mark('begin'); await store.makeFolder('a/b'); mark('end');`);
  const begin = renameTo(calls, join(folder.outside, 'begin'));
  const end = renameTo(calls, join(folder.outside, 'end'));
  for (const path of ['', 'a']) expect(syncedBetween(calls, join(folder.root, path), begin, end)).toBe(true);
});

it('makes the removal of a folder durable', (context) => {
  const calls = trace(
    context,
    `await store.makeFolder('a/b'); mark('begin'); await store.removeFolder('a/b'); mark('end');`,
  );
  const begin = renameTo(calls, join(folder.outside, 'begin'));
  const end = renameTo(calls, join(folder.outside, 'end'));
  const removed = calls.filter(({ name }) => name === 'rmdir').map(({ paths }) => paths[0]);
  expect(removed.slice(0, 2)).toEqual([join(folder.root, 'a/b'), join(folder.root, 'a')]);
  expect(syncedBetween(calls, folder.root, begin, end)).toBe(true);
});

it('settles the bytes and the name of a file', (context) => {
  const calls = trace(
    context,
    `writeFileSync(root + '/f', 'bytes'); mark('begin'); await store.settle('f'); mark('end');`,
  );
  const begin = renameTo(calls, join(folder.outside, 'begin'));
  const end = renameTo(calls, join(folder.outside, 'end'));
  for (const path of ['', 'f']) expect(syncedBetween(calls, join(folder.root, path), begin, end)).toBe(true);
});

it('syncs a folder once for many of its files, where all paths share a queue', (context) => {
  const calls = trace(
    context,
    `await using shared = await openFileStore(root, { oneQueue: true });
    mark('begin');
    const folders = Array.from({ length: 50 }, (_, i) => 'f' + i);
    await Promise.all(folders.map((name) => shared.makeFolder(name)));
    mark('end');`,
  );
  const begin = renameTo(calls, join(folder.outside, 'begin'));
  const between = syncsOf(calls, folder.root).filter(({ began }) => began > begin.ended);
  expect(between.length).toBeGreaterThan(0);
  expect(between.length).toBeLessThan(10);
});
