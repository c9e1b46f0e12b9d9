import { lstat, mkdir, readFile, readlink, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { addToken, startReceiver, writeTokenFile } from '../../harness/cli.ts';
import { filesBelow } from '../../harness/data-tree.ts';
import { startStage } from '../../harness/stage.ts';

test('a symlink planted in the store leads nobody out of it', async () => {
  await using stage = await startStage();
  const edge = await stage.edge('edge1');
  const outside = join(stage.folder, 'outside');
  await mkdir(outside);
  await writeFile(join(outside, 'precious'), 'untouched');
  await mkdir(join(edge.copy, 'DC2'), { recursive: true });
  await mkdir(join(edge.copy, 'DC3'));
  await symlink(outside, join(edge.copy, 'DC1'));
  await symlink(outside, join(edge.copy, 'DC2/sub'));
  await symlink(join(outside, 'precious'), join(edge.copy, 'DC3/file'));
  await edge.write({
    'DC1/precious': 10,
    'DC1/large': 100_000,
    'DC1/finished.parse': '',
    'DC2/sub/precious': 10,
    'DC2/good': 10,
    'DC2/finished.parse': '',
    'DC4/good': 10,
    'DC4/finished.parse': '',
  });
  const { exitCode, summary } = await edge.scan();
  expect(summary.problems.map(({ code, path }) => `${code} ${path}`).toSorted()).toEqual([
    'PATH_CONFLICT DC1/large',
    'PATH_CONFLICT DC1/precious',
    'PATH_CONFLICT DC2/sub/precious',
  ]);
  expect({ exitCode, sealed: ['DC1', 'DC2', 'DC4'].map((name) => edge.sealed(name)) }).toEqual({
    exitCode: 1,
    sealed: [false, false, true],
  });
  expect(edge.has('DC2/good')).toBe(true);

  // A file's place may be taken by the file; what the symlink led to must stay as it is.
  await edge.write({ 'DC3/file': 10, 'DC3/finished.parse': '' });
  await edge.scan();
  expect([...(await filesBelow(outside)).keys()]).toEqual(['precious']);
  expect(await readFile(join(outside, 'precious'), 'utf8')).toBe('untouched');
  expect(await readlink(join(edge.copy, 'DC1'))).toBe(outside);
});

test("a device's own folder that is a symlink leads nobody out of the store", async () => {
  await using stage = await startStage();
  const edge = await stage.edge('edge1');
  const outside = join(stage.folder, 'outside');
  await mkdir(outside);
  await symlink(outside, edge.copy);
  await edge.write({ 'DC1/a': 10, 'DC1/finished.parse': '' });
  const { exitCode } = await edge.scan();
  expect([...(await filesBelow(outside)).keys()]).toEqual([]);
  expect({ exitCode, sealed: edge.sealed('DC1') }).toEqual({ exitCode: 1, sealed: false });
  expect((await lstat(edge.copy)).isSymbolicLink()).toBe(true);
});

test("a device can't send as another one", async () => {
  await using stage = await startStage();
  const tokens = join(stage.folder, 'tokens.json');
  const tokenFile = await writeTokenFile(stage.folder, 'edge1', await addToken('edge1', tokens));
  await addToken('edge2', tokens);
  await stage.receiver[Symbol.asyncDispose]();
  stage.receiver = await startReceiver(stage.store, { args: ['--tokens', tokens] });
  const edge = await stage.edge('edge2');
  await edge.write({ 'DC1/a': 10 });
  const { exitCode, stderr } = await edge.scan(['--token-file', tokenFile]);
  expect({ exitCode, stderr }).toEqual({ exitCode: 3, stderr: expect.stringContaining('AUTH_REFUSED') });
  expect(edge.has('DC1/a')).toBe(false);
});
