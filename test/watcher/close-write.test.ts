import { spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { WatchDirectoryOptions } from '../../src/watcher/directory-watch.ts';
import { closeWriteFault, probeInotifywait } from '../../src/watcher/inotifywait.ts';
import { IsyncError } from '../../src/model/isync-error.ts';
import { leaveOut } from '../../harness/tools.ts';
import { cleanup, helpersIn, makeRoot, startWatch, until } from './support.ts';

/** Settling takes longer than any test, so what is told was told by a close. */
const byClose = { complete: 'close-write', settleMs: 600_000 } as const;

/** Starts a watch and waits until inotifywait stands, which the start itself does for a moment only. */
async function startByClose(root: string, options: Partial<WatchDirectoryOptions> = byClose) {
  const started = await startWatch(root, options);
  const { watch, recorder } = started;
  await until(() => watch.helper === 'close-write');
  // Where it stood late, that is a reason to list, which would stand for the next one.
  const isLate = recorder.log.at('info').some(({ message }) => message.startsWith('inotifywait watches'));
  if (isLate) await until(() => recorder.reconciles.includes('inotifywait watches'));
  return started;
}

/** Puts an "inotifywait" that is this shell script first on the PATH. */
function fakeInotifywait(root: string, script: string): void {
  const path = process.env['PATH'] ?? '';
  const folder = join(root, 'bin');
  mkdirSync(folder);
  writeFileSync(join(folder, 'inotifywait'), `#!/bin/sh\n${script}\n`);
  chmodSync(join(folder, 'inotifywait'), 0o755);
  process.env['PATH'] = `${folder}:${path}`;
  cleanup(() => void (process.env['PATH'] = path));
}

/** A busy machine may not answer at first. */
let inotifywait = await probeInotifywait();
while (inotifywait === 'silent') inotifywait = await probeInotifywait();
if (inotifywait !== 'usable') leaveOut('inotifywait', 'apt-get install inotify-tools, 3.22 or newer');

describe.skipIf(inotifywait !== 'usable')('a watch of a directory that is told of closes', () => {
  it('tells a file that is written in place slowly once, after its close', async () => {
    const { root, directory } = makeRoot();
    const { recorder } = await startByClose(root, { complete: 'auto', settleMs: 30 });
    const file = await open(join(directory, 'slow'), 'w');
    for (let i = 0; i < 8; i++) {
      await file.write('chunk');
      await sleep(100);
      expect(recorder.complete).toEqual([]);
    }
    await file.close();
    await recorder.completed('slow');
    writeFileSync(join(directory, 'after'), '');
    await recorder.completed('after');
    expect(recorder.complete).toEqual(['slow', 'after']);
  });

  it('tells a rename into place, and each close of a file', async () => {
    const { root, directory } = makeRoot();
    const { recorder } = await startByClose(root);
    writeFileSync(join(root, 'elsewhere'), 'x');
    renameSync(join(root, 'elsewhere'), join(directory, 'a'));
    await recorder.completed('a');
    for (let times = 2; times < 5; times++) {
      writeFileSync(join(directory, 'a'), 'y'.repeat(times));
      await recorder.completed('a', times);
    }
    expect(recorder.complete).toEqual(['a', 'a', 'a', 'a']);
  });

  it('loses no name, however odd', async () => {
    const { root, directory } = makeRoot();
    const { recorder } = await startByClose(root);
    const names = [
      'new\nline',
      'a~',
      '.x.swp',
      ' sp ace ',
      '😀',
      '.dot',
      'back\\slash',
      '@at',
      '-r',
      'MOVED_TO',
    ];
    for (const name of names) writeFileSync(join(directory, name), 'x');
    for (const name of names) await recorder.completed(name);
    expect(recorder.complete.toSorted()).toEqual(names.toSorted());
  });

  it('tells every file of a burst of 5,000 once', async () => {
    const { root, directory } = makeRoot('memory');
    const { recorder } = await startByClose(root);
    for (let i = 0; i < 5000; i++) writeFileSync(join(directory, `f${i}`), 'x');
    await until(() => recorder.complete.length >= 5000);
    expect(new Set(recorder.complete).size).toBe(5000);
    expect(recorder.complete.length).toBe(5000);
  });

  it('tells files in new folders, whether their close was seen or not', async () => {
    const { root, directory } = makeRoot();
    const { recorder } = await startByClose(root, { complete: 'close-write', settleMs: 50 });
    for (let i = 0; i < 50; i++) {
      mkdirSync(join(directory, `${i}/b/c`), { recursive: true });
      writeFileSync(join(directory, `${i}/b/c/f`), 'x');
    }
    await until(() => new Set(recorder.complete).size >= 50);
    expect(recorder.complete).toContain('49/b/c/f');
  });

  it('tells all files of a folder that is moved in', async () => {
    const { root, directory } = makeRoot();
    const { recorder } = await startByClose(root);
    mkdirSync(join(root, 'elsewhere/in'), { recursive: true });
    for (const name of ['a', 'in/b']) writeFileSync(join(root, 'elsewhere', name), 'x');
    renameSync(join(root, 'elsewhere'), join(directory, 'moved'));
    await recorder.completed('moved/a');
    await recorder.completed('moved/in/b');
    expect(recorder.complete.toSorted()).toEqual(['moved/a', 'moved/in/b']);
  });

  it('tells that the parser closed the directory, and nothing of our own marker', async () => {
    const { root, directory } = makeRoot();
    const { recorder } = await startByClose(root, { ...byClose, ignored: (path) => path.endsWith('.part') });
    for (const name of ['.finished.watch.1', 'finished.watch', 'a.part', 'finished.parse', 'after']) {
      writeFileSync(join(directory, name), '');
    }
    await recorder.completed('after');
    await until(() => recorder.count('closed') > 0);
    expect(recorder.complete).toEqual(['after']);
  });

  it('goes on by settling when inotifywait is killed, then starts it again', async () => {
    const { root, directory } = makeRoot();
    const { watch, recorder } = await startByClose(root, { complete: 'close-write', settleMs: 50 });
    const [first] = helpersIn(directory);
    process.kill(first!, 'SIGKILL');
    await until(() => watch.helper === 'settle');
    writeFileSync(join(directory, 'between'), 'x');
    await recorder.completed('between');
    await until(() => watch.helper === 'close-write');
    const [second] = helpersIn(directory);
    expect(second).toBeTypeOf('number');
    expect(second).not.toBe(first);
    expect(recorder.log.at('warn').map(({ fields }) => fields['code'])).toEqual(['WATCH_FAILED']);
    expect(recorder.log.at('info').at(-1)?.message).toContain('inotifywait watches');
    await until(() => recorder.reconciles.length > 0);
    writeFileSync(join(directory, 'after'), 'x');
    await recorder.completed('after');
  });

  it('leaves no process behind when its shell is killed', async () => {
    const { root, directory } = makeRoot();
    const { watch } = await startByClose(root);
    const [shell] = helpersIn(directory, 'sh');
    const [first] = helpersIn(directory);
    process.kill(shell!, 'SIGKILL');
    await until(() => watch.helper === 'settle');
    // The next event ends the orphan.
    writeFileSync(join(directory, 'a'), 'x');
    await until(() => !helpersIn(directory).includes(first!));
    expect(helpersIn(directory)).not.toContain(first);
  });

  it('has ended all its processes when disposal returns', async () => {
    const { root, directory } = makeRoot();
    const { watch } = await startByClose(root);
    expect(helpersIn(directory)).toHaveLength(1);
    expect(helpersIn(directory, 'sh')).toHaveLength(1);
    await watch[Symbol.asyncDispose]();
    expect([...helpersIn(directory), ...helpersIn(directory, 'sh')]).toEqual([]);
  });

  it('leaves no process behind when our process is killed', async () => {
    const { root, directory } = makeRoot();
    const module = join(import.meta.dirname, '../../src/watcher/watch-directory.ts');
    const script = `const { watchDirectory } = await import(${JSON.stringify(module)});
      const log = { debug() {}, info() {}, warn() {}, error() {}, with: () => log };
      await watchDirectory({ root: ${JSON.stringify(root)}, directory: 'DC1', complete: 'close-write',
        settleMs: 100, onEvent() {}, log });
      console.log('stands');`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    cleanup(() => void child.kill('SIGKILL'));
    await new Promise((resolve) => child.stdout.once('data', resolve));
    await until(() => helpersIn(directory).length === 1);
    child.kill('SIGKILL');
    await until(() => helpersIn(directory).length + helpersIn(directory, 'sh').length === 0);
    expect(child.killed).toBe(true);
  });

  it('asks for a listing after the event loop was blocked', async () => {
    const { root, directory } = makeRoot('memory');
    const { recorder } = await startByClose(root);
    const script = `const fs = require('fs'); for (let i = 0; i < 20000; i++) fs.writeFileSync('f' + i, '');
      fs.writeFileSync('../written', '');`;
    const writer = spawn(process.execPath, ['-e', script], { cwd: directory });
    const exited = new Promise((resolve) => writer.on('exit', resolve));
    // At least two rounds of its timer, so that being late shows.
    const end = performance.now() + 2000;
    while (!existsSync(join(root, 'written')) || performance.now() < end) {
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 600);
    }
    await exited;
    await until(() => recorder.reconciles.includes('the event loop was blocked'));
    expect(recorder.reconciles).toContain('the event loop was blocked');
  });
});

describe('without a usable inotifywait', () => {
  const watches = `[ "$1" = --help ] && { echo "inotifywait 9.9 --no-newline"; exit 1; }`;

  it.each([
    ['missing', 'exit 127', 'not installed'],
    ['old', 'echo "inotifywait 3.14"; exit 0', 'older than'],
  ])(
    'refuses close-write where it is %s, and settles on auto with one note',
    async (_name, script, message) => {
      const { root, directory } = makeRoot();
      fakeInotifywait(root, script);
      const refusal: unknown = await startWatch(root, { complete: 'close-write' }).catch(
        (error: unknown) => error,
      );
      expect(refusal).toBeInstanceOf(IsyncError);
      expect(refusal).toMatchObject({ code: 'CONFIG_INVALID', message: expect.stringContaining(message) });
      expect((refusal as IsyncError).hint).toContain('apt-get install inotify-tools');
      const { watch, recorder } = await startWatch(root, { complete: 'auto' });
      expect(watch.helper).toBe('settle');
      expect(recorder.log.lines).toHaveLength(1);
      writeFileSync(join(directory, 'a'), 'x');
      await recorder.completed('a');
    },
  );

  it('tries again one that was killed before it had said what it can', async () => {
    const { root, directory } = makeRoot();
    fakeInotifywait(
      root,
      `[ "$1" = --help ] && kill -KILL $$
       echo 'Watches established.' >&2
       printf 'CLOSE_WRITE,CLOSE\\0./a\\0'; exec sleep 1000`,
    );
    expect(await closeWriteFault()).toMatchObject({ code: 'WATCH_FAILED', retryable: true });
    writeFileSync(join(directory, 'a'), 'x');
    for (const complete of ['auto', 'close-write'] as const) {
      const { recorder } = await startByClose(root, { complete, settleMs: 600_000 });
      await recorder.completed('a');
      expect(recorder.log.at('warn')).toEqual([]);
    }
  });

  it('finds it missing where the PATH has none', async () => {
    const { root } = makeRoot();
    const path = process.env['PATH'];
    cleanup(() => void (process.env['PATH'] = path));
    process.env['PATH'] = join(root, 'nowhere');
    await expect(startWatch(root, { complete: 'close-write' })).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
    });
  });

  it('settles and says so once where the limit of watches is reached, and tries again', async () => {
    const { root, directory } = makeRoot();
    const tries = join(root, 'tries');
    fakeInotifywait(
      root,
      `${watches}
       echo try >> '${tries}'
       echo 'Setting up watches.  Beware: since -r was given, this may take a while!' >&2
       if [ "$(wc -l < '${tries}')" -lt 3 ]; then
         echo 'Failed to watch .; upper limit on inotify watches reached!' >&2; exit 1
       fi
       echo 'Watches established.' >&2; exec sleep 1000`,
    );
    const { watch, recorder } = await startWatch(root, { complete: 'close-write', settleMs: 50 });
    expect(watch.helper).toBe('settle');
    writeFileSync(join(directory, 'a'), 'x');
    await recorder.completed('a');
    await until(() => watch.helper === 'close-write');
    const aloud = recorder.log.at('warn');
    expect(aloud).toHaveLength(1);
    expect(aloud[0]).toMatchObject({
      message: expect.stringContaining('upper limit on inotify watches'),
      fields: { code: 'WATCH_FAILED' },
    });
  });

  it('asks for a listing when it could not watch a folder, or tells what makes no sense', async () => {
    const { root, directory } = makeRoot();
    const go = join(root, 'go');
    fakeInotifywait(
      root,
      `${watches}
       echo 'Watches established.' >&2
       while [ ! -e '${go}1' ]; do sleep 0.05; done
       echo "Couldn't watch new directory ./x: No space left on device" >&2
       while [ ! -e '${go}2' ]; do sleep 0.05; done
       echo nonsense; printf '\\0'; exec sleep 1000`,
    );
    const { watch, recorder } = await startByClose(root);
    watch.listed(0);
    writeFileSync(`${go}1`, '');
    await until(() => recorder.reconciles.includes('inotifywait could not watch a folder'));
    writeFileSync(`${go}2`, '');
    await until(() => recorder.reconciles.includes('inotifywait told what makes no sense'));
    expect(existsSync(directory)).toBe(true);
  });
});
