import { mkdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { stopScan } from '../../harness/cli.ts';
import { startStage, untilSealed } from '../../harness/stage.ts';

const DIRECTORIES = 300;

describe('directories that come while the daemon runs', () => {
  test('hundreds that appear together are all sent and sealed', async () => {
    await using stage = await startStage();
    const edge = await stage.edge('edge1');
    await edge.write({ 'first/x': 1 });
    await using daemon = edge.daemon();
    await daemon.until('the daemon to be at work', () => edge.has('first/x'));
    const names = Array.from({ length: DIRECTORIES }, (_, index) => `DC${index}`);
    for (const name of names)
      await edge.write({ [`${name}/a`]: 100, [`${name}/sub/b`]: 70_000, [`${name}/finished.parse`]: '' });
    await untilSealed(edge, names, daemon);
    expect(await edge.differences()).toEqual([]);
    expect(edge.sealed('first')).toBe(false);
  });

  test('what is written late into a directory that is no longer the newest still arrives', async () => {
    await using stage = await startStage();
    const edge = await stage.edge('edge1');
    await edge.write({ 'DC1/early': 100 });
    await using daemon = edge.daemon(['--quiet', '2']);
    await daemon.until('the early file', () => edge.has('DC1/early'));
    await edge.write({ 'DC2/early': 100 });
    await edge.write({ 'DC1/sub/late': 100, 'DC1/late': 300_000 });
    await untilSealed(edge, ['DC1'], daemon);
    await daemon.until('the file of the newest directory', () => edge.has('DC2/early'));
    expect(await edge.differences()).toEqual([]);
    expect([edge.has('DC1/finished.parse'), edge.sealed('DC2')]).toEqual([false, false]);
    const { exitCode, summary } = await stopScan(daemon);
    expect({ exitCode, files: summary.files, problems: summary.problems }).toEqual({
      exitCode: 130,
      files: 4,
      problems: [],
    });
  });

  test('an abandoned directory that the parser closes after all is sealed at once, with its marker', async () => {
    await using stage = await startStage();
    const edge = await stage.edge('edge1');
    await edge.write({ 'DC1/a': 100 });
    await edge.write({ 'DC2/a': 100 });
    await using daemon = edge.daemon(['--quiet', '600']);
    await daemon.until('both files', () => edge.has('DC1/a') && edge.has('DC2/a'));
    await edge.write({ 'DC1/b': 100, 'DC1/finished.parse': '' });
    await untilSealed(edge, ['DC1'], daemon);
    expect(await edge.differences()).toEqual([]);
    expect(edge.has('DC1/finished.parse')).toBe(true);
  });

  test('a tree that is moved in is sent as a whole', async () => {
    await using stage = await startStage();
    const edge = await stage.edge('edge1');
    await edge.write({ 'DC1/a': 100 });
    await using daemon = edge.daemon();
    await daemon.until('the first file', () => edge.has('DC1/a'));
    const outside = await stage.edge('outside');
    const tree = Object.fromEntries(
      Array.from({ length: 60 }, (_, index) => [`tree/${'n/'.repeat(index % 6)}f${index}`, 50]),
    );
    await outside.write(tree);
    await mkdir(join(edge.root, 'DC1/sub'));
    await rename(join(outside.root, 'tree'), join(edge.root, 'DC1/sub/tree'));
    await daemon.until('all of the tree', () =>
      Object.keys(tree).every((path) => edge.has(`DC1/sub/${path}`)),
    );
    await edge.write({ 'DC1/finished.parse': '' });
    await untilSealed(edge, ['DC1'], daemon);
    expect(await edge.differences()).toEqual([]);
  });
});
