import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { lacks } from '../../harness/tools.ts';
import { openFolderTarget } from '../../src/backup/target/folder/folder-target.ts';
import { makeBackup, membersOf } from '../backup/made-backup.ts';
import { differences, makeSource, newFolder } from '../backup/restoring.ts';

const PROGRAM = join(import.meta.dirname, '../backup/restore-program.ts');
/** How often a restore is killed; default: enough to hit each of its steps. */
const KILLS = Number(process.env['ISYNC_TEST_KILLS'] ?? 12);
/** Longest life of one in ms, from when it begins to work. */
const LIFE_MS = 400;

/** One restore, killed after that time. Whether it was quicker, and had no problems. */
async function restoring(args: readonly string[], lifeMs?: number): Promise<boolean> {
  const child = spawn(process.execPath, [PROGRAM, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = once(child, 'exit');
  let said = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    if (said === '' && lifeMs !== undefined) setTimeout(() => child.kill('SIGKILL'), lifeMs);
    said += chunk;
  });
  await exited;
  return said.includes('"problems":0');
}

describe.skipIf(lacks('rsync'))('a restore that is killed again and again', () => {
  it('has either the old folder or the new one in its place, and ends with the new one', async () => {
    const source = makeSource();
    const store = newFolder();
    await using target = openFolderTarget({ path: store, job: 'app' });
    const { manifest } = await makeBackup({ target, members: await membersOf(source) });
    const above = newFolder();
    const to = join(above, 'there');
    mkdirSync(to);
    writeFileSync(join(to, 'mine'), 'old');
    const args = [store, manifest.name, to];
    let isDone = false;
    for (let kill = 0; kill < KILLS && !isDone; kill++) {
      isDone = await restoring(args, (kill / KILLS) * LIFE_MS);
      const names = readdirSync(above);
      const isSwapped = names.includes('there.isync-old');
      // The old one is whole wherever it is, and so is the new one when it has its place.
      expect(readFileSync(join(above, isSwapped ? 'there.isync-old' : 'there', 'mine'), 'utf8')).toBe('old');
      const isNew = isSwapped && names.includes('there');
      expect(isNew ? differences(source, join(to, source)) : '').toBe('');
    }
    expect(isDone || (await restoring(args))).toBe(true);
    expect(differences(source, join(to, source))).toBe('');
    // One that was killed as it had ended is made once more.
    const beside = readdirSync(above).filter((name) => !name.startsWith('there.isync-old'));
    expect(beside).toEqual(['there']);
    expect(readdirSync(to)).not.toContain('.isync-restore');
  });
});
