import { chmodSync, chownSync, mkdirSync, readdirSync, statSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { runCli } from '../../harness/cli.ts';
import { temporaryFolder } from '../../harness/data-tree.ts';

/** Runs a command at `home`, and returns what it has left in the folder for temporary files. */
async function startAt(home: string, temporary: string, env: Record<string, string> = {}): Promise<string[]> {
  const ended = await runCli(['scan', '--help'], {
    env: { HOME: home, TMPDIR: temporary, NODE_COMPILE_CACHE: '', XDG_CACHE_HOME: '', ...env },
  });
  expect(ended).toMatchObject({ exitCode: 0, stderr: '' });
  return readdirSync(temporary);
}

test('what V8 has compiled is kept in a folder of this user alone, not where others could lay it in advance', async () => {
  await using folder = await temporaryFolder('compiled');
  const [home, temporary] = [join(folder.path, 'home'), join(folder.path, 'tmp')];
  for (const path of [home, temporary]) mkdirSync(path);
  expect(await startAt(home, temporary)).toEqual([]);
  const cache = join(home, '.cache/isync');
  expect(statSync(cache).mode & 0o777).toBe(0o700);
  expect(readdirSync(cache)).not.toEqual([]);

  const given = join(folder.path, 'given');
  expect(await startAt(home, temporary, { XDG_CACHE_HOME: given })).toEqual([]);
  expect(readdirSync(join(given, 'isync'))).not.toEqual([]);
});

test.for(['the folder itself', 'one above it', 'where a link leads to'] as const)(
  'nothing is kept where others may write to %s',
  async (which) => {
    await using folder = await temporaryFolder('compiled');
    const [home, temporary, other] = ['home', 'tmp', 'other'].map((name) => join(folder.path, name)) as [
      string,
      string,
      string,
    ];
    const cache = join(home, '.cache/isync');
    mkdirSync(cache, { recursive: true, mode: 0o700 });
    for (const path of [temporary, join(other, 'isync')]) mkdirSync(path, { recursive: true, mode: 0o700 });
    const open = { 'the folder itself': cache, 'one above it': home, 'where a link leads to': other }[which];
    chmodSync(open, 0o777);
    const link = join(folder.path, 'link');
    symlinkSync(other, link);
    const env = which === 'where a link leads to' ? { XDG_CACHE_HOME: link } : {};
    expect(await startAt(home, temporary, env)).toEqual([]);
    expect([readdirSync(cache), readdirSync(join(other, 'isync'))]).toEqual([[], []]);
  },
);

test('without a home nothing is kept', async () => {
  await using folder = await temporaryFolder('compiled');
  expect(await startAt('/proc/no-home', folder.path)).toEqual([]);
});

test.skipIf(process.getuid?.() !== 0)('in the home of another user nothing is made', async () => {
  await using folder = await temporaryFolder('compiled');
  const [home, temporary] = [join(folder.path, 'home'), join(folder.path, 'tmp')];
  for (const path of [home, temporary]) mkdirSync(path);
  chownSync(home, 12_345, 12_345);
  expect(await startAt(home, temporary)).toEqual([]);
  expect(readdirSync(home)).toEqual([]);
});
