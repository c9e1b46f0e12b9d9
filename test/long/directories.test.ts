import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, open, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { lackingOf } from '../../harness/lacking.ts';
import { startStage, untilSealed, type Edge, type Stage } from '../../harness/stage.ts';

let stage: Stage;
beforeAll(async () => {
  stage = await startStage();
});
afterAll(async () => {
  await stage[Symbol.asyncDispose]();
});

function shell(edge: Edge, script: string): void {
  execFileSync('bash', ['-euc', script], { cwd: edge.root, stdio: ['ignore', 'ignore', 'pipe'] });
}

describe.concurrent('while a scan with its default options runs', () => {
  test('directories that come whole, or that are filled by a parser with umask 002, are sealed complete', async () => {
    const edge = await stage.edge('whole');
    await edge.write({ 'DC0/x': 1 });
    await using daemon = edge.daemon();
    await daemon.until('the watch to stand', () => edge.has('DC0/x'));
    shell(
      edge,
      `mkdir .in; for i in 0 1 2 3 4 5; do echo $i > .in/f$i; chmod 664 .in/f$i; touch -d "2020-01-01 00:00:0$i" .in/f$i; done
      cp -a .in .ready; : > .ready/finished.parse; mv .ready moved
      umask 002
      for d in 1 2 3; do
        mkdir shared$d; for i in $(seq 100); do echo "$d $i" > shared$d/t$i; mv shared$d/t$i shared$d/f$i; done
        : > shared$d/finished.parse
      done`,
    );
    const names = ['moved', 'shared1', 'shared2', 'shared3'];
    await untilSealed(edge, names, daemon);
    for (const name of names) expect(await lackingOf(edge.root, edge.copy, name)).toEqual([]);
  });

  test('what is in progress by its name is left alone, until it gets its own', async () => {
    const edge = await stage.edge('progress');
    await edge.write({ 'DC1/here-before': 1 });
    await using daemon = edge.daemon();
    await daemon.until('the watch to stand', () => edge.has('DC1/here-before'));
    await edge.write({ 'DC1/a.tmp': 10, 'DC1/sub/b.part': 10, 'DC1/.c.swp': 10, 'DC1/sub/done': 10 });
    await daemon.until('the file beside them', () => edge.has('DC1/sub/done'));
    await rename(join(edge.root, 'DC1/a.tmp'), join(edge.root, 'DC1/a'));
    await daemon.until('the file with its own name', () => edge.has('DC1/a'));
    await edge.write({ 'DC1/finished.parse': '' });
    await untilSealed(edge, ['DC1'], daemon);
    expect(['a.tmp', 'sub/b.part', '.c.swp'].filter((name) => edge.has(`DC1/${name}`))).toEqual([]);
  });

  test('several directories in use at a time are all followed, whichever is the newest', async () => {
    const edge = await stage.edge('cameras');
    const cameras = ['cam1', 'cam2', 'cam3'];
    for (const camera of cameras) await mkdir(join(edge.root, camera));
    await using daemon = edge.daemon();
    for (const segment of [1, 2, 3])
      for (const camera of cameras) {
        await edge.write({ [`${camera}/segment${segment}`]: segment });
        await daemon.until('the segment', () => edge.has(`${camera}/segment${segment}`), 5_000);
      }
    expect(cameras.filter((camera) => edge.sealed(camera))).toEqual([]);
  });

  test.each([
    { how: 'copied', command: 'cp -a' },
    { how: 'moved', command: 'mv' },
  ])('a sealed directory that is $how is looked into under its new name', async ({ how, command }) => {
    const edge = await stage.edge(how);
    await edge.write({ 'DC1/config.ini': 'one', 'DC1/finished.parse': '' });
    await using daemon = edge.daemon();
    await untilSealed(edge, ['DC1'], daemon);
    // Under its name only when there is more in it.
    shell(edge, `${command} DC1 .next; echo new > .next/data; mv .next DC2`);
    expect(existsSync(join(edge.root, 'DC2/finished.watch'))).toBe(true);
    await daemon.until('all of it', async () => (await lackingOf(edge.root, edge.copy, 'DC2')).length === 0);
    await untilSealed(edge, ['DC2'], daemon);
  });
});

describe('a directory that its parser does not close', () => {
  test('is sealed when it rests, but not empty, not with a file in progress, and not while a writer has one open', async () => {
    const edge = await stage.edge('rest');
    await mkdir(join(edge.root, 'empty'));
    await edge.write({ 'progress/a': 10, 'progress/b.part': 10, 'plain/a': 10 });
    await mkdir(join(edge.root, 'held'));
    await using held = await open(join(edge.root, 'held/capture'), 'a');
    await held.write('packet 1\n');
    await edge.write({ 'zzz/x': 1 });
    const options = ['--quiet', '0.6', '--newest', 'name'];
    await using daemon = edge.daemon(options);
    await untilSealed(edge, ['plain'], daemon);
    // It has rested for as long as those.
    await edge.write({ 'later/a': 10 });
    await edge.write({ 'zzz/y': 1 });
    await untilSealed(edge, ['later'], daemon);
    expect(['empty', 'progress', 'held', 'zzz'].filter((name) => edge.sealed(name))).toEqual([]);

    await held.write('packet 2, through a descriptor that was open all the time\n');
    await held.close();
    await edge.write({ 'empty/first': 10 });
    await rename(join(edge.root, 'progress/b.part'), join(edge.root, 'progress/b'));
    await edge.write({ 'zzz/z': 1 });
    await untilSealed(edge, ['empty', 'progress'], daemon);
    // The daemon looks for writers less often.
    await daemon.stop('SIGTERM');
    await edge.scan(options);
    const names = ['empty', 'progress', 'held'];
    expect(names.filter((name) => !edge.sealed(name))).toEqual([]);
    for (const name of names) expect(await lackingOf(edge.root, edge.copy, name)).toEqual([]);
  });
});
