import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openFolderTarget } from '../../src/backup/target/folder/folder-target.ts';
import { startNode } from '../../harness/process.ts';
import { ARCHIVE, archiveOf, KEY } from '../backup/archive.ts';

const PROGRAM = new URL('../backup/killed.ts', import.meta.url).pathname;
/** Processes that are killed, each at another call of the file system, spread over all that there are. */
const KILLS = Number(process.env['ISYNC_TEST_BACKUP_KILLS'] ?? 6);

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'isync-killed-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

const open = () => openFolderTarget({ path: join(folder, 'target'), job: 'app' });

async function renew(): Promise<void> {
  await rm(folder, { recursive: true, force: true });
  await mkdir(join(folder, 'target'), { recursive: true });
  await open().put('a', Buffer.from('one'));
}

/** Its calls of the file system; undefined where it was killed. */
async function run(mode: 'objects' | 'archive', killAt: number): Promise<number | undefined> {
  await using child = startNode([PROGRAM, mode, folder, String(killAt)]);
  const { exitCode, stdout, stderr } = await child.ended;
  if (exitCode === null) return undefined;
  expect({ exitCode, stderr }).toMatchObject({ exitCode: 0 });
  return Number(/^done with (\d+) calls$/m.exec(stdout)?.[1]);
}

/** Whatever is left of an upload is found by its listing, and nothing is beside once that is dropped. */
async function litter(): Promise<string[]> {
  const target = open();
  for await (const upload of target.uploads()) await target.abort(upload);
  return (await readdir(join(folder, 'target/app'))).filter((name) => name.startsWith('.'));
}

/** Of all objects; of an archive its digest. */
async function contents(): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for await (const { key } of open().list()) {
    const bytes = await readFile(join(folder, 'target/app', key));
    found[key] = key === KEY ? archiveOf(bytes).sha256 : bytes.toString();
  }
  return found;
}

describe('a process that is killed at any call of the file system', () => {
  it('leaves whole objects in a folder, and nothing that is not found', async () => {
    await renew();
    const calls = (await run('objects', 0))!;
    expect(await contents()).toEqual({ a: 'other', c: 'fiveparts!' });
    expect(calls).toBeGreaterThan(50);
    let killed = 0;
    for (let kill = 0; kill < KILLS; kill++) {
      await renew();
      const at = 1 + Math.floor(((kill + Math.random()) * (calls - 1)) / KILLS);
      const where = `killed at call ${at} of ${calls}`;
      if ((await run('objects', at)) === undefined) killed += 1;
      const { a, b = 'new', c = 'fiveparts!', ...others } = await contents();
      const found = { where, a: a === 'one' ? 'other' : a, b, c, others, litter: await litter() };
      const whole = { a: 'other', b: 'new', c: 'fiveparts!', others: {}, litter: [] };
      expect(found).toEqual({ where, ...whole });
    }
    expect(killed).toBeGreaterThan(KILLS / 2);
  });

  it('goes on with its archive until that is whole', async () => {
    await renew();
    const calls = (await run('archive', 0))!;
    const { sha256: whole } = archiveOf(ARCHIVE);
    expect(await contents()).toEqual({ a: 'one', [KEY]: whole });
    expect(calls).toBeGreaterThan(50);
    let killed = 0;
    for (let kill = 0; kill < KILLS; kill++) {
      await renew();
      const at = 1 + Math.floor(((kill + Math.random()) * (calls - 1)) / KILLS);
      const where = `killed at call ${at} of ${calls}`;
      // Killed twice: as it begins, and as it goes on.
      if ((await run('archive', at)) === undefined) killed += 1;
      const early = await contents();
      await run('archive', 1 + Math.floor(Math.random() * calls));
      await run('archive', 0);
      const last = await contents();
      const left = [...(await litter()), ...(await readdir(join(folder, 'state/spool')))];
      const found = { early: { [KEY]: whole, ...early }, last, left };
      const expected = { a: 'one', [KEY]: whole };
      expect({ where, ...found }).toEqual({ where, early: expected, last: expected, left: [] });
    }
    expect(killed).toBeGreaterThan(KILLS / 2);
  });
});
