import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { lacksRoot } from '../../harness/tools.ts';
import { openFolderTarget } from '../../src/backup/target/folder/folder-target.ts';
import { makeBackup, type Member } from './made-backup.ts';
import { file, newFolder } from './restoring.ts';

const PROGRAM = join(import.meta.dirname, 'restore-program.ts');
/** Nobody in particular. */
const OTHER = 4321;

describe.skipIf(lacksRoot())('who is not root', () => {
  it('owns what is restored, and gets no program that would run as its owner, unless it is theirs', async () => {
    const store = newFolder();
    await using target = openFolderTarget({ path: store, job: 'app' });
    const members: Member[] = [
      { path: 'closed', type: 'directory', mode: 0o500 },
      { ...file('closed/of-root'), mode: 0o4755 },
      { ...file('closed/own'), mode: 0o4755, uid: OTHER, gid: OTHER },
      { path: 'closed/points', type: 'symlink', target: 'own' },
    ];
    const { manifest } = await makeBackup({ target, members });
    const above = newFolder();
    for (const path of [store, join(store, 'app'), above]) chownSync(path, OTHER, OTHER);
    for (const ending of ['', '.files', '.manifest'])
      chownSync(join(store, 'app', manifest.name + ending), OTHER, OTHER);
    const to = join(above, 'to');
    const child = spawn(process.execPath, [PROGRAM, store, manifest.name, to], {
      uid: OTHER,
      gid: OTHER,
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    const [code] = await once(child, 'exit');
    expect(code).toBe(0);
    const found = ['closed', 'closed/of-root', 'closed/own'].map((path) => {
      const { uid, gid, mode } = statSync(join(to, path));
      return [uid, gid, (mode & 0o7777).toString(8)];
    });
    expect(found).toEqual([
      [OTHER, OTHER, '500'],
      [OTHER, OTHER, '755'],
      [OTHER, OTHER, '4755'],
    ]);
  });
});
