import { spawn } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { RelPath } from '../../src/model/rel-path.ts';
import { look } from '../../src/watcher/look.ts';
import { enterFolders, makeRoot, startWatch, until } from './support.ts';

const at = (name: string): RelPath => `DC1/${name}` as RelPath;

describe('a watch of a directory that misses events', () => {
  it('asks for a listing where chokidar takes a name for another, and settles what it finds', async () => {
    const { root, directory } = makeRoot();
    const { watch, recorder } = await startWatch(root, { events: 'chokidar' });
    mkdirSync(join(directory, 'folder\\'));
    const names = ['back\\slash', 'folder\\/a'];
    for (const name of names) writeFileSync(join(directory, name), 'x');
    await until(() => recorder.reconciles.length > 0);
    enterFolders(watch, root);
    for (const name of names) watch.changed(at(name));
    for (const name of names) await recorder.completed(name);
    // Now the folder is known, and what happens in it noticed.
    for (const name of ['b', 'c', 'd']) {
      const before = recorder.reconciles.length;
      writeFileSync(join(directory, 'folder\\', name), 'x');
      await until(() => recorder.reconciles.length > before);
    }
    expect(recorder.complete).toEqual(names);
  });

  it('tells that the directory is gone, also when it was made again at once', async () => {
    const { root, directory } = makeRoot();
    const first = await startWatch(root);
    rmSync(directory, { recursive: true });
    await until(() => first.recorder.count('gone') === 1);
    mkdirSync(directory);
    writeFileSync(join(directory, 'old'), '');
    const second = await startWatch(root);
    rmSync(directory, { recursive: true });
    mkdirSync(directory);
    writeFileSync(join(directory, 'new'), '');
    await until(() => second.recorder.count('gone') === 1);
    expect(first.recorder.count('gone')).toBe(1);
  });

  it('tells that a directory is gone which never was', async () => {
    const { root, directory } = makeRoot();
    rmSync(directory, { recursive: true });
    const { recorder } = await startWatch(root);
    await until(() => recorder.count('gone') > 0);
    expect(recorder.events).toEqual([{ kind: 'gone' }]);
  });

  it('asks for a listing when a folder has changed, and not when nothing has', async () => {
    const { root, directory } = makeRoot();
    mkdirSync(join(directory, 'sub/deep'), { recursive: true });
    await sleep(50);
    const { watch, recorder } = await startWatch(root);
    watch.listed(1);
    await sleep(2500);
    expect(recorder.reconciles).not.toContain('a folder has changed');
    writeFileSync(join(directory, 'sub/deep/a'), 'x');
    await until(() => recorder.reconciles.includes('a folder has changed'));
  });

  it('asks for a listing after the kernel has dropped events, and watches what was made meanwhile', async () => {
    const { root, directory } = makeRoot('memory');
    const { watch, recorder } = await startWatch(root);
    // More than fs.inotify.max_queued_events (16,384 by default), while nobody reads them.
    const script = `const fs = require('fs');
      for (let i = 0; i < 20000; i++) fs.writeFileSync('f' + i, '');
      fs.mkdirSync('late/deep', { recursive: true }); fs.writeFileSync('late/deep/a', '');`;
    const writer = spawn(process.execPath, ['-e', script], { cwd: directory });
    const exited = new Promise((resolve) => writer.on('exit', resolve));
    while (look(join(directory, 'late/deep/a')) === undefined) {
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 600);
    }
    await exited;
    await until(() => recorder.reconciles.length > 0);
    expect(recorder.complete).not.toContain('late/deep/a');
    enterFolders(watch, root);
    watch.changed(at('late/deep/a'));
    await recorder.completed('late/deep/a');
    writeFileSync(join(directory, 'late/deep/b'), '');
    await recorder.completed('late/deep/b');
  });
});
