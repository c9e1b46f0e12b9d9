import { existsSync } from 'node:fs';
import { readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { addToken, runCli, stopScan, writeTokenFile } from '../../harness/cli.ts';
import { temporaryFolder } from '../../harness/data-tree.ts';
import { startStage, untilSealed } from '../../harness/stage.ts';
import { age } from '../sender/expire/fixture.ts';

test('expire makes room beside a scan that goes on, and verify knows of what has gone', async () => {
  await using folder = await temporaryFolder('expire');
  const tokens = join(folder.path, 'tokens.json');
  const tokenFile = await writeTokenFile(folder.path, 'edge1', await addToken('edge1', tokens));
  await using stage = await startStage({ args: ['--tokens', tokens, '--immutable'] });
  const edge = await stage.edge('edge1');
  const to = ['--to', stage.receiver.url, '--device', 'edge1', '--token-file', tokenFile];
  await edge.write({ 'DC1/a': 10, 'DC1/sub/b': 200_000, 'DC1/finished.parse': '', 'DC2/a': 5 });
  await using daemon = edge.daemon(['--token-file', tokenFile]);
  await untilSealed(edge, ['DC1'], daemon);
  const expire = (...args: string[]) => runCli(['expire', edge.root, ...to, ...args]);

  const young = await expire('--keep', '0', '--json');
  expect(young.exitCode).toBe(0);
  expect(JSON.parse(young.stdout)).toMatchObject({ expired: [], kept: [], exitCode: 0 });

  age(join(edge.root, 'DC1'), 3);
  const dry = await expire('--keep', '1d', '--dry-run');
  expect(dry).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('would go: DC1: 3 files') });
  expect(edge.sealed('DC1')).toBe(true);

  const done = await expire('--keep', '1d', '--json');
  expect(done.exitCode).toBe(0);
  expect(JSON.parse(done.stdout)).toMatchObject({
    expired: [{ name: 'DC1', files: 3, bytes: 200_010, because: 'age' }],
    kept: [],
    short: false,
  });
  expect((await readdir(edge.root)).toSorted()).toEqual(['.isync', 'DC2']);
  expect([edge.has('DC1/a'), edge.has('DC1/sub/b'), edge.has('DC1/finished.parse')]).toEqual([
    true,
    true,
    true,
  ]);

  // What the parser makes anew is a directory like any other, and the receiver keeps what it has.
  await edge.write({ 'DC1/new': 7, 'DC1/finished.parse': '' });
  await untilSealed(edge, ['DC1'], daemon);
  const { summary } = await stopScan(daemon);
  expect(summary.problems).toEqual([]);
  await rm(join(edge.root, 'DC1'), { recursive: true });

  const verified = await runCli(['verify', edge.root, ...to, '--json']);
  expect(verified.exitCode).toBe(0);
  expect(JSON.parse(verified.stdout)).toMatchObject({ extra: 0, expired: 4, missing: 0 });
});

test('scan and verify leave alone what an interrupted run has set aside, and the duty of a scan ends with it', async () => {
  await using stage = await startStage();
  const edge = await stage.edge('edge1');
  await edge.write({ 'DC1/a': 10, 'DC1/finished.parse': '' });
  await edge.scan();
  age(join(edge.root, 'DC1'), 3);
  const aside = join(edge.root, '.isync-expire-DC1');
  await rename(join(edge.root, 'DC1'), aside);
  const { summary } = await edge.scan();
  expect(summary).toMatchObject({ files: 0, problems: [], directories: [] });
  const verified = await runCli([
    'verify',
    edge.root,
    '--to',
    stage.receiver.url,
    '--device',
    'edge1',
    '--json',
  ]);
  expect(JSON.parse(verified.stdout)).toMatchObject({ files: 0, problems: 0 });
  expect(existsSync(join(aside, 'a'))).toBe(true);

  await using daemon = edge.daemon(['--expire-keep', '1d']);
  await daemon.until('the directory to go', () => daemon.stderr.includes('directory expired'));
  expect((await readdir(edge.root)).toSorted()).toEqual(['.isync']);
  expect(edge.has('DC1/a')).toBe(true);
  expect((await stopScan(daemon)).summary.problems).toEqual([]);
});

test('a target that lacks a file ends the run with 1, its code and what to do', async () => {
  await using stage = await startStage();
  const edge = await stage.edge('edge1');
  await edge.write({ 'DC1/a': 10, 'DC1/finished.parse': '' });
  await edge.scan();
  await rm(join(edge.copy, 'DC1/a'));
  const args = ['--to', stage.receiver.url, '--device', 'edge1', '--keep', '0', '--keep-at-least', '0'];
  const { exitCode, stderr } = await runCli(['expire', edge.root, ...args]);
  expect(exitCode).toBe(1);
  expect(stderr).toContain('the target does not have DC1/a [EXPIRE_STOPPED]');
  expect(stderr).toContain('isync verify');
  expect(edge.sealed('DC1')).toBe(true);
});

test.each([
  [[], 'keep'],
  [['--keep', '7'], 'is no time with a unit'],
  [['--min-free', '200%'], 'is no share of a disk'],
])('%j is refused in the words of the option', async (args, told) => {
  const { exitCode, stderr } = await runCli([
    'expire',
    '/tmp',
    '--to',
    '/nowhere',
    '--device',
    'edge1',
    ...args,
  ]);
  expect(exitCode).toBe(2);
  expect(stderr).toContain(told);
});
