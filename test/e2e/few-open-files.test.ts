import { utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { CLI_MAIN, CLI_NODE, type Summary } from '../../harness/cli.ts';
import { startNode } from '../../harness/process.ts';
import { startStage } from '../../harness/stage.ts';

const FILES = 600;
/** Node itself takes some 30. */
const LIMIT = 64;

test('a scan that may have few open files sends and seals all the same', async () => {
  await using stage = await startStage();
  const edge = await stage.edge('few');
  const names = Array.from({ length: FILES }, (_, index) => `DC1/${index}`);
  await edge.write(Object.fromEntries(names.map((name) => [name, 100])));
  for (const name of names) await utimes(join(edge.root, name), 1_000_000_000, 1_000_000_000);
  await edge.write({ 'DC1/finished.parse': '' });
  const scan = ['scan', edge.root, '--to', stage.receiver.url, '--device', 'few', '--once', '--json'];
  await using limited = startNode([`--nofile=${LIMIT}`, CLI_NODE, CLI_MAIN, ...scan], { node: 'prlimit' });
  const { exitCode, stdout, stderr } = await limited.ended;
  expect(stderr).not.toContain('EMFILE');
  const { files, directories } = JSON.parse(stdout) as Summary;
  expect({ exitCode, files, directories }).toEqual({
    exitCode: 0,
    files: FILES,
    directories: [{ name: 'DC1', state: 'closed', sealed: true }],
  });
});
