import { chmodSync, mkdirSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { list, LONG_AGO, makeRoot, write } from './support.ts';

test('the fingerprint of a listing stays when nothing was created or written', async () => {
  const root = makeRoot();
  write(root, 'DC1/a');
  write(root, 'DC1/sub/b');
  const before = await fingerprint(root);
  chmodSync(`${root}/DC1/a`, 0o664);
  write(root, 'DC1/finished.parse');
  write(root, 'DC1/.finished.watch.tmp');
  expect(await fingerprint(root)).toBe(before);
});

test.each<[string, (root: string) => void]>([
  ['a file is created', (root) => write(root, 'DC1/new', '')],
  ['a file grows', (root) => writeFileSync(`${root}/DC1/a`, 'more', { flag: 'a' })],
  ['a file is touched', (root) => utimesSync(`${root}/DC1/a`, LONG_AGO, LONG_AGO)],
  ['a file is removed', (root) => rmSync(`${root}/DC1/a`)],
  ['a file is renamed', (root) => renameSync(`${root}/DC1/a`, `${root}/DC1/c`)],
  ['two files swap their names', swap],
  ['an ignored file grows', (root) => writeFileSync(`${root}/DC1/c.tmp`, 'more', { flag: 'a' })],
  ['a folder is created', (root) => mkdirSync(`${root}/DC1/empty`)],
  ['a folder is renamed', (root) => renameSync(`${root}/DC1/none`, `${root}/DC1/null`)],
  ['a file moves to another folder', (root) => renameSync(`${root}/DC1/a`, `${root}/DC1/sub/a`)],
])('the fingerprint of a listing changes when %s', async (_, change) => {
  const root = makeRoot();
  for (const path of ['DC1/a', 'DC1/b', 'DC1/c.tmp', 'DC1/sub/d']) write(root, path, 'same');
  mkdirSync(`${root}/DC1/none`);
  const now = new Date();
  for (const name of ['a', 'b']) utimesSync(`${root}/DC1/${name}`, now, now);
  const before = await fingerprint(root);
  change(root);
  expect(await fingerprint(root)).not.toBe(before);
});

async function fingerprint(root: string): Promise<string> {
  return (await list(root)).totals.fingerprint;
}

function swap(root: string): void {
  renameSync(`${root}/DC1/a`, `${root}/DC1/x`);
  renameSync(`${root}/DC1/b`, `${root}/DC1/a`);
  renameSync(`${root}/DC1/x`, `${root}/DC1/b`);
}
