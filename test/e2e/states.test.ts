import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { filesBelow, isMarked } from '../../harness/data-tree.ts';
import { startStage, type Edge, type Stage } from '../../harness/stage.ts';

let stage: Stage;
beforeAll(async () => {
  stage = await startStage();
});
afterAll(async () => {
  await stage[Symbol.asyncDispose]();
});

/** One directory of each kind, the oldest first. */
async function edgeWithEveryState(device: string): Promise<Edge> {
  const edge = await stage.edge(device);
  await edge.write({ 'DC1/a': 10, 'DC1/finished.watch': '' });
  await edge.write({ 'DC2/b': 20, 'DC2/sub/b': 70_000, 'DC2/finished.parse': 'parsed' });
  await edge.write({ 'DC3/c': 30, 'DC3/sub/deep/c': 0 });
  await edge.write({ 'DC4/d': 40 });
  return edge;
}

const QUIET = ['--quiet', '0.5'];

describe.concurrent('what happens to a data directory', () => {
  test('each state gets what the table says', async () => {
    const edge = await edgeWithEveryState('table');
    const { exitCode, summary } = await edge.scan(QUIET);
    expect(summary.directories.toSorted((a, b) => a.name.localeCompare(b.name))).toEqual([
      { name: 'DC2', state: 'closed', sealed: true },
      { name: 'DC3', state: 'unclosed', sealed: true },
      { name: 'DC4', state: 'active', sealed: false },
    ]);
    expect({ exitCode, files: summary.files, bytes: summary.bytes }).toEqual({
      exitCode: 0,
      files: 5,
      bytes: 20 + 70_000 + 30 + 0 + 40,
    });
    expect(await edge.differences((path) => path.startsWith('DC1/'))).toEqual([]);
    const marked = [...(await filesBelow(edge.root))]
      .filter(([, stat]) => isMarked(stat))
      .map(([path]) => path);
    expect(marked.toSorted()).toEqual(['DC2/b', 'DC2/sub/b', 'DC3/c', 'DC3/sub/deep/c', 'DC4/d']);
    expect(['DC2', 'DC3', 'DC4'].map((name) => edge.sealed(name))).toEqual([true, true, false]);
    expect(existsSync(join(edge.root, 'DC3/finished.parse'))).toBe(false);
  });

  test('a second scan has nothing to do', async () => {
    const edge = await edgeWithEveryState('again');
    await edge.scan(QUIET);
    const before = await filesBelow(edge.root);
    const { exitCode, summary } = await edge.scan(QUIET);
    expect({
      exitCode,
      files: summary.files,
      skipped: summary.skippedMarked,
      directories: summary.directories,
    }).toEqual({
      exitCode: 0,
      files: 0,
      skipped: 1,
      directories: [{ name: 'DC4', state: 'active', sealed: false }],
    });
    const changed = [...(await filesBelow(edge.root))].filter(
      ([path, stat]) => stat.ctimeMs !== before.get(path)?.ctimeMs,
    );
    expect(changed).toEqual([]);
  });

  test('only directories with the tag are looked at', async () => {
    const edge = await stage.edge('tag');
    await edge.write({
      'night-1/x': 1,
      'night-1/finished.parse': '',
      'day-1/x': 1,
      'day-1/finished.parse': '',
    });
    await edge.write({ 'stray-file': 5 });
    const { exitCode } = await edge.scan(['--tag', 'night']);
    expect(exitCode).toBe(0);
    expect([...(await filesBelow(edge.copy)).keys()].toSorted()).toEqual([
      'night-1/finished.parse',
      'night-1/x',
    ]);
    expect([edge.sealed('night-1'), edge.sealed('day-1')]).toEqual([true, false]);
  });

  test('an empty closed directory is sealed, and the target learns of it', async () => {
    const edge = await stage.edge('empty');
    await edge.write({ 'DC1/finished.parse': '' });
    const { exitCode } = await edge.scan();
    expect({ exitCode, sealed: edge.sealed('DC1'), there: edge.has('DC1/finished.parse') }).toEqual({
      exitCode: 0,
      sealed: true,
      there: true,
    });
  });

  test('markers count only right below the data directory', async () => {
    const edge = await stage.edge('deep-markers');
    await edge.write({ 'DC1/sub/finished.parse': 'a', 'DC1/sub/finished.watch': 'b', 'DC1/x': 1 });
    const { summary } = await edge.scan();
    expect({ files: summary.files, sealed: edge.sealed('DC1') }).toEqual({ files: 3, sealed: false });
    expect(await filesBelow(edge.copy)).toHaveProperty('size', 3);
  });

  test('removing finished.watch makes isync look into the directory again', async () => {
    const edge = await stage.edge('unsealed');
    await edge.write({ 'DC1/a': 10, 'DC1/finished.parse': '' });
    await edge.scan();
    await edge.write({ 'DC1/late': 20 });
    expect((await edge.scan()).summary.files).toBe(0);
    await rm(join(edge.root, 'DC1/finished.watch'));
    const { summary } = await edge.scan();
    expect({ files: summary.files, skipped: summary.skippedMarked, sealed: edge.sealed('DC1') }).toEqual({
      files: 1,
      skipped: 1,
      sealed: true,
    });
    expect(await edge.differences()).toEqual([]);
  });
});
