import { existsSync, readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { runCli, startCli } from '../../harness/cli.ts';
import { filesBelow, temporaryFolder, writeTree } from '../../harness/data-tree.ts';

const SMALL_FILES = 2000;
/** Several are resumed. */
const LARGE_BYTES = 30 * 1024 * 1024;
const LARGE_FILES = 4;
/** Files that are there when the next kill comes. */
const KILL_AT = [1, 50, 400, 1500];

test('a fetch that is killed again and again leaves whole files only, and the last run completes it', async () => {
  await using store = await temporaryFolder('fetch-kill');
  await using back = await temporaryFolder('fetch-kill-back');
  await writeTree(store.path, {
    ...Object.fromEntries(
      Array.from({ length: SMALL_FILES }, (_, n) => [`edge1/DC${n % 7}/${n}`, 100 + n] as const),
    ),
    ...Object.fromEntries(
      Array.from({ length: LARGE_FILES }, (_, n) => [`edge1/DC1/large${n}`, LARGE_BYTES] as const),
    ),
  });
  const from = join(store.path, 'edge1');
  const into = join(back.path, 'new');
  for (const count of KILL_AT) {
    await using fetch = startCli(['fetch', from, into]);
    await fetch.until(`${count} files`, async () => fetch.over || (await fetched(into)).length >= count);
    await fetch.stop('SIGKILL');
    for (const path of await fetched(into))
      expect((await readFile(join(into, path))).equals(await readFile(join(from, path)))).toBe(true);
  }
  const { exitCode, stdout } = await runCli(['fetch', from, into, '--json']);
  expect(exitCode).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({ problemCount: 0, problems: [] });
  expect((await fetched(into)).length).toBe(SMALL_FILES + LARGE_FILES);
  for (const path of await fetched(into))
    expect((await readFile(join(into, path))).equals(await readFile(join(from, path)))).toBe(true);
  expect(readdirSync(into)).not.toContain('.isync');
});

/** Files with their names. */
async function fetched(into: string): Promise<string[]> {
  if (!existsSync(into)) return [];
  return [...(await filesBelow(into)).keys()].filter((path) => !path.startsWith('.isync/'));
}
