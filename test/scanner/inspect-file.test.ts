import { chmodSync, mkdirSync, symlinkSync, utimesSync } from 'node:fs';
import { expect, test } from 'vitest';
import { inspectFile } from '../../src/scanner/inspect-file.ts';
import { lacksRoot } from '../../harness/tools.ts';
import { asStranger, list, makeRoot, rel, seen, write, makeFifo } from './support.ts';

test('a file is found as the listing finds it', async () => {
  const root = makeRoot();
  write(root, 'DC1/sub/a', '123');
  const finding = inspectFile(root, rel('DC1/sub/a'));
  expect(finding).toMatchObject({
    kind: 'file',
    file: { entry: { size: 3 }, identity: seen(root, 'DC1/sub/a') },
  });
  expect((await list(root)).batches).toEqual([[finding]]);
});

test('the parser’s marker is found like any file, for it is transferred in the end', () => {
  const root = makeRoot();
  write(root, 'DC1/finished.parse', '');
  expect(inspectFile(root, rel('DC1/finished.parse'))).toMatchObject({ kind: 'file' });
});

test('what is gone, and folders, are nothing', () => {
  const root = makeRoot();
  mkdirSync(`${root}/DC1/sub`, { recursive: true });
  write(root, 'DC1/file');
  expect(inspectFile(root, rel('DC1/none'))).toBeUndefined();
  expect(inspectFile(root, rel('DC2/none'))).toBeUndefined();
  expect(inspectFile(root, rel('DC1/file/below'))).toBeUndefined();
  expect(inspectFile(root, rel('DC1/sub'))).toBeUndefined();
});

test('symlinks and special files are problems', () => {
  const root = makeRoot();
  write(root, 'DC1/a');
  symlinkSync('a', `${root}/DC1/link`);
  makeFifo(`${root}/DC1/fifo`);
  for (const name of ['link', 'fifo'])
    expect(inspectFile(root, rel(`DC1/${name}`))).toMatchObject({
      kind: 'problem',
      problem: { code: 'NOT_REGULAR', path: `DC1/${name}` },
    });
});

test('a time that no FileEntry can hold is a problem', () => {
  const root = makeRoot();
  write(root, 'DC1/a');
  const far = new Date('2300-01-01');
  utimesSync(`${root}/DC1/a`, far, far);
  expect(inspectFile(root, rel('DC1/a'))).toMatchObject({
    kind: 'problem',
    problem: { code: 'FILE_UNREADABLE', path: 'DC1/a' },
  });
});

test('a path that is too long together with the root is a problem', () => {
  const root = makeRoot();
  const path = rel(`DC1/${'n/'.repeat(2045)}x`);
  expect(inspectFile(root, path)).toMatchObject({ kind: 'problem', problem: { code: 'BAD_PATH', path } });
});

test.skipIf(lacksRoot())('a folder above that can’t be searched is a problem', () => {
  const root = makeRoot();
  write(root, 'DC1/a');
  chmodSync(`${root}/DC1`, 0o700);
  expect(asStranger(() => inspectFile(root, rel('DC1/a')))).toMatchObject({
    kind: 'problem',
    problem: { code: 'FILE_UNREADABLE', path: 'DC1/a' },
  });
});
