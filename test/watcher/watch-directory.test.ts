import {
  appendFileSync,
  chmodSync,
  linkSync,
  mkdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { RelPath } from '../../src/model/rel-path.ts';
import { identityOf } from '../../src/model/file-identity.ts';
import { look } from '../../src/watcher/look.ts';
import { burstTest } from '../suites/watch-burst.ts';
import { makeRoot, startWatch as startAnyWatch, until } from './support.ts';
import type { WatchDirectoryOptions } from '../../src/watcher/directory-watch.ts';

const at = (name: string): RelPath => `DC1/${name}` as RelPath;

describe.each(['inotify', 'chokidar'] as const)('a watch of a directory that settles, by %s', (events) => {
  const startWatch = (root: string, options: Partial<WatchDirectoryOptions> = {}) =>
    startAnyWatch(root, { events, ...options });

  it('tells a new file once it has settled', async () => {
    const { root, directory } = makeRoot();
    const { watch, recorder } = await startWatch(root);
    expect(watch.helper).toBe('settle');
    writeFileSync(join(directory, 'a'), 'x');
    await recorder.completed('a');
    writeFileSync(join(directory, 'b'), '');
    await recorder.completed('b');
    expect(recorder.complete).toEqual(['a', 'b']);
  });

  it('tells a file that is written in place slowly once, when it is whole', async () => {
    const { root, directory } = makeRoot();
    const settleMs = 500;
    const { recorder } = await startWatch(root, { settleMs });
    const file = await open(join(directory, 'slow'), 'w');
    const writtenMs: number[] = [];
    for (let i = 0; i < 15; i++) {
      writtenMs.push(performance.now());
      await file.write('chunk');
      await sleep(settleMs / 10);
    }
    await file.close();
    await recorder.completed('slow');
    writeFileSync(join(directory, 'after'), '');
    await recorder.completed('after');
    const told = recorder.toldMs('slow');
    // Where the machine paused as long between two writes, it had settled indeed.
    const quietMs = told.map((ms) => ms - Math.max(...writtenMs.filter((written) => written <= ms)));
    for (const ms of quietMs) expect(ms).toBeGreaterThan(settleMs / 2);
    expect(told.at(-1)).toBeGreaterThan(writtenMs.at(-1)!);
  });

  it('tells a renamed file under its new name only', async () => {
    const { root, directory } = makeRoot();
    const { recorder } = await startWatch(root);
    for (let i = 0; i < 50; i++) {
      writeFileSync(join(directory, `.${i}.tmp`), 'x');
      renameSync(join(directory, `.${i}.tmp`), join(directory, `${i}`));
    }
    await until(() => recorder.complete.length >= 50);
    expect(recorder.complete.filter((name) => name.startsWith('.'))).toEqual([]);
  });

  it('loses no name, however odd', async () => {
    const { root, directory } = makeRoot();
    const { recorder } = await startWatch(root);
    const names = [
      'new\nline',
      'a~',
      '~',
      '.x.swp',
      '.y.swx',
      ' sp ace ',
      '😀',
      '.dot',
      'a,b"\'',
      '-r',
      '*',
      'DC1',
    ];
    if (events === 'inotify') names.push('back\\slash', 'folder\\/a');
    mkdirSync(join(directory, 'folder\\'));
    // Not UTF-8: the listing's to report.
    writeFileSync(Buffer.concat([Buffer.from(`${directory}/`), Buffer.from([0xff, 0x61])]), 'x');
    for (const name of names) writeFileSync(join(directory, name), 'x');
    for (const name of names) await recorder.completed(name);
    expect(recorder.complete.toSorted()).toEqual(names.toSorted());
  });

  // chokidar takes five times as long: it gets as many in test/long/watch-burst.test.ts.
  burstTest(events, events === 'inotify' ? 5000 : 1000);

  it('tells files in nested folders that are made and filled at once', async () => {
    const { root, directory } = makeRoot();
    const { recorder } = await startWatch(root);
    for (let i = 0; i < 100; i++) {
      mkdirSync(join(directory, `${i}/b/c`), { recursive: true });
      writeFileSync(join(directory, `${i}/b/c/f`), 'x');
    }
    await until(() => recorder.complete.length >= 100);
    expect(recorder.complete).toContain('99/b/c/f');
  });

  it('tells files in a folder that is moved in, and in one that is removed and made again', async () => {
    const { root, directory } = makeRoot();
    const { recorder } = await startWatch(root);
    mkdirSync(join(root, 'elsewhere/in'), { recursive: true });
    writeFileSync(join(root, 'elsewhere/in/f'), 'x');
    renameSync(join(root, 'elsewhere'), join(directory, 'moved'));
    await recorder.completed('moved/in/f');
    rmSync(join(directory, 'moved'), { recursive: true });
    mkdirSync(join(directory, 'moved'));
    writeFileSync(join(directory, 'moved/g'), 'x');
    await recorder.completed('moved/g');
    writeFileSync(join(directory, 'moved/h'), 'x');
    await recorder.completed('moved/h');
    expect(recorder.complete).toEqual(['moved/in/f', 'moved/g', 'moved/h']);
  });

  it('tells a file again when it was written again', async () => {
    const { root, directory } = makeRoot();
    const { recorder } = await startWatch(root);
    writeFileSync(join(directory, 'a'), 'x');
    await recorder.completed('a');
    appendFileSync(join(directory, 'a'), 'y');
    await recorder.completed('a', 2);
    expect(recorder.complete).toEqual(['a', 'a']);
  });

  it('tells files that are linked in, renamed over others and moved between folders', async () => {
    const { root, directory } = makeRoot();
    mkdirSync(join(directory, 'sub'));
    for (const path of ['outside', 'DC1/over', 'DC1/sub/inside']) writeFileSync(join(root, path), path);
    const { recorder } = await startWatch(root);
    linkSync(join(root, 'outside'), join(directory, 'linked'));
    writeFileSync(join(root, 'other'), 'y');
    renameSync(join(root, 'other'), join(directory, 'over'));
    renameSync(join(directory, 'sub/inside'), join(directory, 'moved'));
    for (const name of ['linked', 'over', 'moved']) await recorder.completed(name);
    expect(recorder.complete.toSorted()).toEqual(['linked', 'moved', 'over']);
  });

  it('follows a folder that is renamed, and tells nothing under its former name', async () => {
    const { root, directory } = makeRoot();
    mkdirSync(join(directory, 'a/deep'), { recursive: true });
    const { recorder } = await startWatch(root);
    renameSync(join(directory, 'a'), join(directory, 'b'));
    mkdirSync(join(directory, 'a'));
    writeFileSync(join(directory, 'a/new'), 'x');
    writeFileSync(join(directory, 'b/deep/old'), 'x');
    await recorder.completed('a/new');
    await recorder.completed('b/deep/old');
    writeFileSync(join(directory, 'b/deep/later'), 'x');
    await recorder.completed('b/deep/later');
    expect(recorder.complete.toSorted()).toEqual(['a/new', 'b/deep/later', 'b/deep/old']);
  });

  it('tells of a file whose mark someone takes off', async () => {
    const { root, directory } = makeRoot();
    const file = join(directory, 'a');
    writeFileSync(file, 'x');
    chmodSync(file, 0o664);
    const { watch, recorder } = await startWatch(root);
    watch.handled(at('a'), identityOf(look(file)!));
    chmodSync(file, 0o644);
    await recorder.completed('a');
    expect(recorder.complete).toEqual(['a']);
  });

  it('is not told of files that were there before, but of what happens to them', async () => {
    const { root, directory } = makeRoot();
    mkdirSync(join(directory, 'sub'));
    writeFileSync(join(directory, 'sub/old'), 'x');
    writeFileSync(join(directory, 'touched'), 'x');
    const { recorder } = await startWatch(root);
    appendFileSync(join(directory, 'touched'), 'y');
    await recorder.completed('touched');
    expect(recorder.complete).toEqual(['touched']);
  });

  it('settles what a listing found, also when it was told before', async () => {
    const { root, directory } = makeRoot();
    writeFileSync(join(directory, 'old'), 'x');
    const { watch, recorder } = await startWatch(root);
    watch.changed(at('old'));
    await recorder.completed('old');
    watch.changed(at('old'));
    await recorder.completed('old', 2);
    expect(recorder.complete).toEqual(['old', 'old']);
  });

  it('keeps quiet about our own chmod once it was handled, and tells the next one', async () => {
    const { root, directory } = makeRoot();
    const files = ['handled', 'not'].map((name) => join(directory, name));
    for (const file of files) writeFileSync(file, 'x', { mode: 0o644 });
    const { watch, recorder } = await startWatch(root);
    for (const file of files) chmodSync(file, 0o664);
    watch.handled(at('handled'), identityOf(look(files[0]!)!));
    await recorder.completed('not');
    writeFileSync(join(directory, 'after'), '');
    await recorder.completed('after');
    expect(recorder.complete).toEqual(['not', 'after']);
    chmodSync(files[0]!, 0o644);
    await recorder.completed('handled');
  });

  it('tells what is handled while it settles no more', async () => {
    const { root, directory } = makeRoot();
    const { watch, recorder } = await startWatch(root);
    writeFileSync(join(directory, 'a'), 'x');
    watch.changed(at('a'));
    watch.handled(at('a'), identityOf(look(join(directory, 'a'))!));
    writeFileSync(join(directory, 'after'), '');
    await recorder.completed('after');
    expect(recorder.complete).toEqual(['after']);
  });

  it('tells nothing of ignored names until they get another', async () => {
    const { root, directory } = makeRoot();
    const { recorder } = await startWatch(root, { ignored: (path) => path.endsWith('.part') });
    writeFileSync(join(directory, 'a.part'), 'x');
    writeFileSync(join(directory, 'b'), 'x');
    await recorder.completed('b');
    expect(recorder.complete).toEqual(['b']);
    renameSync(join(directory, 'a.part'), join(directory, 'a'));
    await recorder.completed('a');
  });

  it('passes on what is no regular file, for the listing to report', async () => {
    const { root, directory } = makeRoot();
    const { recorder } = await startWatch(root);
    symlinkSync('/etc', join(directory, 'link'));
    await recorder.completed('link');
    expect(recorder.complete).toEqual(['link']);
  });

  it('tells that the parser closed the directory, and nothing of our own marker', async () => {
    const { root, directory } = makeRoot();
    mkdirSync(join(directory, 'sub'));
    const { recorder } = await startWatch(root);
    writeFileSync(join(directory, '.finished.watch.1234'), '');
    renameSync(join(directory, '.finished.watch.1234'), join(directory, 'finished.watch'));
    writeFileSync(join(directory, 'sub/finished.parse'), '');
    await recorder.completed('sub/finished.parse');
    expect(recorder.count('closed')).toBe(0);
    writeFileSync(join(directory, 'finished.parse'), '');
    await until(() => recorder.count('closed') > 0);
    writeFileSync(join(directory, 'after'), '');
    await recorder.completed('after');
    expect(recorder.complete).toEqual(['sub/finished.parse', 'after']);
  });

  it('tells nothing after disposal, which may be repeated', async () => {
    const { root, directory } = makeRoot();
    const { watch, recorder } = await startWatch(root);
    writeFileSync(join(directory, 'a'), 'x');
    await watch[Symbol.asyncDispose]();
    await watch[Symbol.asyncDispose]();
    watch.changed(at('a'));
    const second = await startWatch(root);
    writeFileSync(join(directory, 'b'), 'x');
    await second.recorder.completed('b');
    expect(recorder.events).toEqual([]);
  });

  it('does not start for a signal that has fired', async () => {
    const { root } = makeRoot();
    await expect(startWatch(root, { signal: AbortSignal.abort(new Error('no')) })).rejects.toThrow('no');
  });
});
