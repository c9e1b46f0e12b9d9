import {
  chmodSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  symlinkSync,
  utimesSync,
} from 'node:fs';
import { afterEach, describe, expect, test } from 'vitest';
import type { RelPath } from '../../src/model/rel-path.ts';
import {
  draftWatchMarker,
  hasParseMarker,
  isMarkerPath,
  watchMarkerStats,
} from '../../src/scanner/markers.ts';
import { lacksRoot } from '../../harness/tools.ts';
import { LONG_AGO, makeRoot, rel, STRANGER, write } from './support.ts';

const DC1 = rel('DC1');
const keep = { keepMtime: true };
const letGo = { keepMtime: false };

const hasWatchMarker = (root: string, directory: RelPath): boolean =>
  watchMarkerStats(root, directory) !== undefined;

/** What the directory is does not matter where there is none. */
function draftOf(root: string, directory: RelPath, { keepMtime }: { readonly keepMtime: boolean }) {
  const stats = lstatSync(`${root}/${directory}`, { throwIfNoEntry: false });
  const finished = new Date().toISOString();
  return draftWatchMarker(
    root,
    directory,
    { finished },
    { device: stats?.dev ?? 0, inode: stats?.ino ?? 0, keepMtime },
  );
}

async function writeWatchMarker(
  root: string,
  directory: RelPath,
  options: { readonly keepMtime: boolean },
): Promise<void> {
  await using draft = await draftOf(root, directory, options);
  await draft.publish();
}

describe('our marker', () => {
  test.each([keep, letGo])('is one line of JSON with the time, and no temp is left (%o)', async (options) => {
    const root = makeRoot();
    write(root, 'DC1/a');
    const before = Date.now();
    await writeWatchMarker(root, DC1, options);
    const text = readFileSync(`${root}/DC1/finished.watch`, 'utf8');
    expect(text).toMatch(/^\{"finished":"[^"]+"\}\n$/);
    const time = Date.parse(JSON.parse(text).finished);
    expect(time).toBeGreaterThanOrEqual(before);
    expect(time).toBeLessThanOrEqual(Date.now());
    expect(readdirSync(`${root}/DC1`).sort()).toEqual(['a', 'finished.watch']);
    expect(hasWatchMarker(root, DC1)).toBe(true);
  });

  test('leaves the directory’s mtime as it was, to the microsecond, where it is asked to', async () => {
    const root = makeRoot();
    mkdirSync(`${root}/DC1`);
    write(root, 'DC1/a');
    utimesSync(`${root}/DC1`, LONG_AGO, LONG_AGO);
    const before = lstatSync(`${root}/DC1`);
    await writeWatchMarker(root, DC1, keep);
    const after = lstatSync(`${root}/DC1`);
    expect(Math.abs(after.mtimeMs - before.mtimeMs)).toBeLessThanOrEqual(0.001);
    await writeWatchMarker(root, DC1, letGo);
    expect(lstatSync(`${root}/DC1`).mtimeMs).toBeGreaterThan(before.mtimeMs + 0.001);
  });

  test('changes neither the mtime of the root nor the birthtime of the directory', async () => {
    const root = makeRoot();
    mkdirSync(`${root}/DC1`);
    const before = lstatSync(`${root}/DC1`).birthtimeMs;
    utimesSync(root, LONG_AGO, LONG_AGO);
    await writeWatchMarker(root, DC1, letGo);
    expect(lstatSync(root).mtimeMs).toBe(LONG_AGO.getTime());
    expect(lstatSync(`${root}/DC1`).birthtimeMs).toBe(before);
  });

  test('replaces an older one, and the temp that a killed process left behind', async () => {
    const root = makeRoot();
    write(root, 'DC1/finished.watch', 'old');
    write(root, 'DC1/.finished.watch.tmp', 'half of a very long line that must not show');
    await writeWatchMarker(root, DC1, letGo);
    expect(readFileSync(`${root}/DC1/finished.watch`, 'utf8')).toMatch(/^\{"finished":"[^"]+"\}\n$/);
    expect(readdirSync(`${root}/DC1`)).toEqual(['finished.watch']);
  });

  test('is never written through a symlink', async () => {
    const root = makeRoot();
    write(root, 'precious');
    mkdirSync(`${root}/DC1`);
    for (const name of ['.finished.watch.tmp', 'finished.watch'])
      symlinkSync('../precious', `${root}/DC1/${name}`);
    await writeWatchMarker(root, DC1, letGo);
    expect(readFileSync(`${root}/precious`, 'utf8')).toBe('precious');
    expect(lstatSync(`${root}/DC1/finished.watch`).isFile()).toBe(true);
    symlinkSync('DC1', `${root}/DC2`);
    await expect(writeWatchMarker(root, rel('DC2'), letGo)).rejects.toMatchObject({ code: 'FILE_VANISHED' });
  });
});

describe('a draft of our marker', () => {
  test('is no marker yet, and leaves nothing behind where it never becomes one', async () => {
    const root = makeRoot();
    write(root, 'DC1/a');
    const before = lstatSync(`${root}/DC1`).mtimeMs;
    {
      await using draft = await draftOf(root, DC1, keep);
      expect(hasWatchMarker(root, DC1)).toBe(false);
      expect(await draft.isUndisturbed()).toBe(true);
    }
    expect(readdirSync(`${root}/DC1`)).toEqual(['a']);
    expect(Math.abs(lstatSync(`${root}/DC1`).mtimeMs - before)).toBeLessThanOrEqual(0.001);
  });

  test('is disturbed by what comes into the directory, or by another directory in its place', async () => {
    const root = makeRoot();
    write(root, 'DC1/a');
    {
      await using draft = await draftOf(root, DC1, letGo);
      // In another tick of the file system's clock.
      utimesSync(`${root}/DC1`, LONG_AGO, LONG_AGO);
      write(root, 'DC1/b');
      expect(await draft.isUndisturbed()).toBe(false);
    }
    await using draft = await draftOf(root, DC1, letGo);
    renameSync(`${root}/DC1`, `${root}/DC2`);
    mkdirSync(`${root}/DC1`);
    expect(await draft.isUndisturbed()).toBe(false);
  });

  test('is not written into a folder that has taken the directory’s place', async () => {
    const root = makeRoot();
    write(root, 'DC1/a');
    const { dev, ino } = lstatSync(`${root}/DC1`);
    const other = { device: dev, inode: ino + 1, keepMtime: false };
    await expect(draftWatchMarker(root, DC1, {}, other)).rejects.toMatchObject({ code: 'FILE_VANISHED' });
    expect(readdirSync(`${root}/DC1`)).toEqual(['a']);
  });
});

describe('our marker can’t be written', () => {
  const euid = process.geteuid?.() ?? 0;
  afterEach(() => process.seteuid?.(euid));

  test('where the directory is gone', async () => {
    const root = makeRoot();
    for (const options of [keep, letGo])
      await expect(writeWatchMarker(root, DC1, options)).rejects.toMatchObject({
        code: 'FILE_VANISHED',
        path: 'DC1',
      });
  });

  test('where a folder has its name, which the hint says', async () => {
    const root = makeRoot();
    mkdirSync(`${root}/DC1/finished.watch`, { recursive: true });
    await expect(writeWatchMarker(root, DC1, letGo)).rejects.toMatchObject({
      code: 'READ_ONLY',
      path: 'DC1/finished.watch',
      hint: expect.stringContaining('Remove the folder'),
    });
  });

  test.skipIf(lacksRoot())('where the directory can’t be written', async () => {
    const root = makeRoot();
    mkdirSync(`${root}/DC1`);
    process.seteuid?.(STRANGER);
    await expect(writeWatchMarker(root, DC1, letGo)).rejects.toMatchObject({
      code: 'READ_ONLY',
      hint: expect.stringContaining('write permission'),
    });
  });

  test.skipIf(lacksRoot())('where its mtime could not be put back, and then nothing is written', async () => {
    const root = makeRoot();
    mkdirSync(`${root}/DC1`);
    chmodSync(`${root}/DC1`, 0o777);
    process.seteuid?.(STRANGER);
    await expect(writeWatchMarker(root, DC1, keep)).rejects.toMatchObject({
      code: 'READ_ONLY',
      hint: expect.stringContaining('--newest mtime'),
    });
    expect(readdirSync(`${root}/DC1`)).toEqual([]);
    await writeWatchMarker(root, DC1, letGo);
    expect(readdirSync(`${root}/DC1`)).toEqual(['finished.watch']);
  });
});

describe('a marker', () => {
  test('is a regular file right below the data directory', () => {
    const root = makeRoot();
    write(root, 'DC1/sub/finished.parse');
    write(root, 'DC1/sub/finished.watch');
    expect([hasParseMarker(root, DC1), hasWatchMarker(root, DC1)]).toEqual([false, false]);
    symlinkSync('sub/finished.parse', `${root}/DC1/finished.parse`);
    mkdirSync(`${root}/DC1/finished.watch`);
    expect([hasParseMarker(root, DC1), hasWatchMarker(root, DC1)]).toEqual([false, false]);
    write(root, 'DC2/finished.parse', '');
    expect([hasParseMarker(root, rel('DC2')), hasWatchMarker(root, rel('DC2'))]).toEqual([true, false]);
    expect(hasParseMarker(root, rel('none'))).toBe(false);
  });

  test.each([
    ['DC1/finished.parse', true],
    ['DC1/finished.watch', true],
    ['DC1/.finished.watch.tmp', true],
    ['DC1/sub/finished.watch', false],
    ['finished.watch', false],
    ['DC1/finished.parser', false],
  ])('has the path %s: %s', (path, is) => {
    expect(isMarkerPath(path)).toBe(is);
  });
});
