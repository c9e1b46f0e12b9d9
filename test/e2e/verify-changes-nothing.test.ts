import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { runCli, scanOnce } from '../../harness/cli.ts';
import { temporaryFolder, writeTree } from '../../harness/data-tree.ts';

test('verify makes nothing in the folder that it compares with', async () => {
  await using folder = await temporaryFolder('verify');
  const [root, to] = [join(folder.path, 'root'), join(folder.path, 'copy')];
  await mkdir(to);
  await writeTree(root, { 'DC1/a': 10, 'DC1/finished.parse': '' });
  const { exitCode } = await scanOnce(root, { to, device: 'edge1' });
  expect(exitCode).toBe(0);
  await rm(join(to, '.isync'), { recursive: true });
  const verified = await runCli(['verify', root, '--to', to, '--device', 'edge1']);
  expect(verified).toMatchObject({ exitCode: 0 });
  expect(await readdir(to)).toEqual(['edge1']);
});
