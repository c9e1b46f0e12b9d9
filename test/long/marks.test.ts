import { execFileSync } from 'node:child_process';
import { appendFile, chmod, rename, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { filesBelow, isMarked } from '../../harness/data-tree.ts';
import { startStage, type Stage } from '../../harness/stage.ts';

let stage: Stage;
beforeAll(async () => {
  stage = await startStage();
});
afterAll(async () => {
  await stage[Symbol.asyncDispose]();
});

describe.concurrent('marks', () => {
  test('chmod g-w makes isync send a file again', async () => {
    const edge = await stage.edge('g-w');
    await edge.write({ 'DC1/a': 10, 'DC1/b': 20 });
    await edge.scan();
    expect((await edge.scan()).summary.files).toBe(0);
    await chmod(join(edge.root, 'DC1/a'), 0o644);
    expect((await edge.scan()).summary.files).toBe(1);
    expect(await edge.differences()).toEqual([]);
  });

  test('a file that was written after it was marked is sent again', async () => {
    const edge = await stage.edge('rewritten');
    await edge.write({ 'DC1/log': 'one\n', 'DC1/other': 20 });
    await edge.scan();
    await appendFile(join(edge.root, 'DC1/log'), 'two\n');
    expect((await edge.scan()).summary.files).toBe(1);
    expect(await edge.differences()).toEqual([]);
    expect((await edge.scan()).summary.files).toBe(0);
  });

  test('files of a parser with umask 002 are sent, and only once', async () => {
    const edge = await stage.edge('umask');
    await edge.write({ 'DC1/plain': 10 });
    const path = join(edge.root, 'DC1/shared');
    execFileSync('sh', ['-c', 'umask 002; printf "the group may write" > "$1"', 'sh', path]);
    expect(isMarked((await filesBelow(edge.root)).get('DC1/shared')!)).toBe(true);
    expect((await edge.scan()).summary).toMatchObject({ files: 2, skippedMarked: 0 });
    expect((await edge.scan()).summary).toMatchObject({ files: 0, skippedMarked: 2 });
    expect(await edge.differences()).toEqual([]);
  });

  test('a mark that nobody knows of is asked about; --marks trust leaves its directory unsealed', async () => {
    const edge = await stage.edge('verify');
    await edge.write({ 'DC1/never-sent': 10, 'DC1/fresh': 20, 'DC1/finished.parse': '' });
    const past = Date.now() / 1000 - 60;
    await utimes(join(edge.root, 'DC1/never-sent'), past, past);
    await chmod(join(edge.root, 'DC1/never-sent'), 0o664);
    const trusting = await edge.scan(['--marks', 'trust']);
    expect({
      code: trusting.exitCode,
      there: edge.has('DC1/never-sent'),
      sealed: edge.sealed('DC1'),
    }).toEqual({ code: 1, there: false, sealed: false });
    expect(trusting.summary).toMatchObject({ files: 1, skippedMarked: 1 });
    expect(trusting.summary.problems).toMatchObject([{ path: 'DC1/never-sent', code: 'MARK_UNKNOWN' }]);
    const asking = await edge.scan();
    expect({ code: asking.exitCode, files: asking.summary.files }).toEqual({ code: 0, files: 1 });
    expect(edge.sealed('DC1')).toBe(true);
    expect(await edge.differences()).toEqual([]);
  });

  test('a mark that came along with a rename or a copy does not stand for the new name', async () => {
    const edge = await stage.edge('moved');
    await edge.write({ 'DC1/data.new': 10, 'DC1/sub.new/deep': 20, 'DC1/original': 30 });
    await edge.scan();
    await rename(join(edge.root, 'DC1/data.new'), join(edge.root, 'DC1/data'));
    await rename(join(edge.root, 'DC1/sub.new'), join(edge.root, 'DC1/sub'));
    execFileSync('cp', ['-p', join(edge.root, 'DC1/original'), join(edge.root, 'DC1/copy')]);
    await edge.write({ 'DC1/finished.parse': '' });
    expect((await edge.scan()).summary).toMatchObject({ files: 3 });
    expect(edge.sealed('DC1')).toBe(true);
    for (const path of ['data', 'sub/deep', 'copy']) expect(edge.has(`DC1/${path}`)).toBe(true);
  });

  test('times from long ago and from the future are kept, and such files are marked', async () => {
    const edge = await stage.edge('times');
    await edge.write({
      'DC1/old': 10,
      'DC1/before-the-epoch': 10,
      'DC1/future': 10,
      'DC1/finished.parse': '',
    });
    await utimes(join(edge.root, 'DC1/old'), 1_000_000.123456, 1_000_000.123456);
    await utimes(join(edge.root, 'DC1/before-the-epoch'), -1000.5, -1000.5);
    const future = Date.now() / 1000 + 1e6;
    await utimes(join(edge.root, 'DC1/future'), future, future);
    const { exitCode } = await edge.scan();
    expect({ exitCode, sealed: edge.sealed('DC1') }).toEqual({ exitCode: 0, sealed: true });
    expect(await edge.differences()).toEqual([]);
    const files = await filesBelow(join(edge.root, 'DC1'));
    expect(['old', 'before-the-epoch', 'future'].filter((name) => isMarked(files.get(name)!))).toHaveLength(
      3,
    );
  });
});
