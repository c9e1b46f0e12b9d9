import { execFileSync } from 'node:child_process';
import { symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startStage, type Stage } from '../../harness/stage.ts';

let stage: Stage;
beforeAll(async () => {
  stage = await startStage();
});
afterAll(async () => {
  await stage[Symbol.asyncDispose]();
});

describe.concurrent('files that are not plain data', () => {
  test('what can not be transferred is told and keeps the seal away; the rest is sent', async () => {
    const edge = await stage.edge('problems');
    await edge.write({ 'DC1/good': 10, 'DC1/sub/good': 20, 'DC1/finished.parse': '' });
    await symlink('/etc/passwd', join(edge.root, 'DC1/link'));
    execFileSync('mkfifo', [join(edge.root, 'DC1/sub/pipe')]);
    await writeFile(
      Buffer.concat([Buffer.from(join(edge.root, 'DC1/not-utf8-')), Buffer.from([0xff, 0xfe])]),
      'x',
    );
    const { exitCode, summary } = await edge.scan();
    expect(summary.problems.map(({ code, path }) => `${code} ${path}`).toSorted()).toEqual([
      expect.stringMatching(/^BAD_PATH DC1\/not-utf8-/),
      'NOT_REGULAR DC1/link',
      'NOT_REGULAR DC1/sub/pipe',
    ]);
    expect({
      exitCode,
      files: summary.files,
      count: summary.problemCount,
      sealed: edge.sealed('DC1'),
    }).toEqual({
      exitCode: 1,
      files: 2,
      count: 3,
      sealed: false,
    });
    expect(
      ['good', 'sub/good', 'link', 'sub/pipe', 'finished.parse'].filter((name) => edge.has(`DC1/${name}`)),
    ).toEqual(['good', 'sub/good']);
  });

  test('ignored files are left alone and keep no seal away', async () => {
    const edge = await stage.edge('ignored');
    await edge.write({ 'DC1/a': 10, 'DC1/b.lock': 10, 'DC1/sub/c.tmp': 10, 'DC1/finished.parse': '' });
    const { exitCode, summary } = await edge.scan(['--ignore', '*.lock', '--ignore', '*.tmp']);
    expect({ exitCode, files: summary.files, ignored: summary.ignored, sealed: edge.sealed('DC1') }).toEqual({
      exitCode: 0,
      files: 1,
      ignored: 2,
      sealed: true,
    });
    expect(['b.lock', 'sub/c.tmp'].filter((name) => edge.has(`DC1/${name}`))).toEqual([]);
  });

  test('any legal name arrives', async () => {
    const edge = await stage.edge('names');
    const names = [
      'with space',
      '-rf',
      'new\nline',
      'back\\slash',
      'tilde~',
      'x.swp',
      '.hidden',
      '...',
      'ünï-☃-😀',
      'ends-with-dot.',
      'CON',
      'a:b*c?"<>|',
      'n'.repeat(255),
      `deep/${'d'.repeat(200)}/${'e'.repeat(200)}/x`,
    ];
    await edge.write({
      ...Object.fromEntries(names.map((name) => [`DC 1 ☃/${name}`, 10])),
      'DC 1 ☃/finished.parse': '',
    });
    const { exitCode, summary } = await edge.scan();
    expect({ exitCode, problems: summary.problems, files: summary.files }).toEqual({
      exitCode: 0,
      problems: [],
      files: names.length,
    });
    expect(await edge.differences()).toEqual([]);
    expect(edge.sealed('DC 1 ☃')).toBe(true);
  });
});
