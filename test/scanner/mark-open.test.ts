/** The mark through a descriptor that has been open since the file was read. */
import {
  appendFileSync,
  chmodSync,
  closeSync,
  fstatSync,
  lstatSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { expect, onTestFinished, test } from 'vitest';
import { isMarked } from '../../src/scanner/is-marked.ts';
import { markFile } from '../../src/scanner/mark.ts';
import { LONG_AGO, makeFifo, makeRoot, rel, seen, write } from './support.ts';

const PATH = rel('DC1/a');

function makeRead(mode = 0o644) {
  const root = makeRoot();
  const file = `${root}/${PATH}`;
  write(root, PATH, 'content');
  chmodSync(file, mode);
  utimesSync(file, LONG_AGO, LONG_AGO);
  const open = openSync(file, 'r');
  onTestFinished(() => closeSync(open));
  return { root, file, open, version: seen(root, PATH) };
}

test('is set where nothing has happened since, and leaves the file open', async () => {
  const { root, file, open, version } = makeRead(0o2640);
  const result = await markFile(root, PATH, version, open);
  expect(result).toMatchObject({ outcome: 'marked', believable: true, identity: seen(root, PATH) });
  expect(isMarked(lstatSync(file))).toBe(true);
  expect(fstatSync(open).mode & 0o7777).toBe(0o2660);
});

test.each<[string, (file: string) => void]>([
  ['written to', (file) => appendFileSync(file, 'x')],
  ['given other rights', (file) => chmodSync(file, 0o600)],
  [
    'replaced by another file',
    (file) => (writeFileSync(`${file}2`, 'content'), renameSync(`${file}2`, file)),
  ],
  ['replaced by a symlink to itself', (file) => (renameSync(file, `${file}2`), symlinkSync('a2', file))],
  ['replaced by a FIFO', (file) => (rmSync(file), makeFifo(file))],
  ['replaced by a folder', (file) => (rmSync(file), mkdirSync(file))],
])('is not set on a file that was %s', async (_, change) => {
  const { root, file, open, version } = makeRead();
  change(file);
  const before = [fstatSync(open).mode, lstatSync(file).mode];
  expect(await markFile(root, PATH, version, open)).toEqual({ outcome: 'changed' });
  expect([fstatSync(open).mode, lstatSync(file).mode]).toEqual(before);
});

test('is not set on a file that has vanished', async () => {
  const { root, file, open, version } = makeRead();
  renameSync(file, `${root}/elsewhere`);
  expect(await markFile(root, PATH, version, open)).toEqual({ outcome: 'vanished' });
  expect(lstatSync(`${root}/elsewhere`).mode & 0o7777).toBe(0o644);
});
