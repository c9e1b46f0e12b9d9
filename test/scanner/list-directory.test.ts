import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { describe, expect, test } from 'vitest';
import { listDirectory, MAX_FINDINGS_PER_BATCH } from '../../src/scanner/list-directory.ts';
import type { Finding } from '../../src/scanner/listed-file.ts';
import { MAX_FOLDER_DEPTH } from '../../src/scanner/walk.ts';
import { lacksRoot } from '../../harness/tools.ts';
import { asStranger, list, LONG_AGO, makeRoot, openBelow, rel, summary, write, makeFifo } from './support.ts';

const nothingIgnored = (): boolean => false;

describe('a listing', () => {
  test('finds the files at any depth, with what lstat says of them', async () => {
    const root = makeRoot();
    write(root, 'DC1/a.raw', '12345');
    write(root, 'DC1/sub/deep/er/b.raw');
    write(root, 'DC1/sub/.hidden');
    write(root, 'DC1/größe 日本.raw');
    write(root, 'DC1/empty', '');
    write(root, 'DC2/other');
    const { files, paths, problems, totals } = await list(root);
    expect(paths).toEqual([
      'DC1/a.raw',
      'DC1/empty',
      'DC1/größe 日本.raw',
      'DC1/sub/.hidden',
      'DC1/sub/deep/er/b.raw',
    ]);
    expect(problems).toEqual([]);
    const stats = lstatSync(`${root}/DC1/a.raw`);
    expect(files.find((file) => file.entry.path === 'DC1/a.raw')).toEqual({
      entry: { path: 'DC1/a.raw', size: 5, mtimeUs: Math.round(stats.mtimeMs * 1000) },
      identity: {
        dev: stats.dev,
        ino: stats.ino,
        size: 5,
        mtimeMs: stats.mtimeMs,
        ctimeMs: stats.ctimeMs,
      },
      marked: false,
    });
    const bytes = files.reduce((sum, file) => sum + file.entry.size, 0);
    expect(totals).toMatchObject({ gone: false, files: 5, bytes, subfolders: 3, ignored: 0 });
  });

  test('tells marked files from unmarked ones', async () => {
    const root = makeRoot();
    for (const name of ['marked', 'unmarked']) {
      write(root, `DC1/${name}`);
      utimesSync(`${root}/DC1/${name}`, LONG_AGO, LONG_AGO);
    }
    chmodSync(`${root}/DC1/marked`, 0o664);
    const { files } = await list(root);
    expect(files.filter((file) => file.marked).map((file) => file.entry.path)).toEqual(['DC1/marked']);
  });

  test('of an empty directory is empty', async () => {
    const root = makeRoot();
    mkdirSync(`${root}/DC1`);
    const { batches, totals } = await list(root);
    expect(batches).toEqual([]);
    expect(totals).toEqual({
      gone: false,
      files: 0,
      bytes: 0,
      subfolders: 0,
      ignored: 0,
      fingerprint: '0'.repeat(16),
      lastChangeMs: 0,
    });
  });

  test('leaves out the markers of the data directory, and only those', async () => {
    const root = makeRoot();
    const names = ['finished.parse', 'finished.watch', '.finished.watch.tmp'];
    for (const name of names) {
      write(root, `DC1/${name}`);
      write(root, `DC1/sub/${name}`);
    }
    const { paths, totals } = await list(root, 'DC1', []);
    expect(paths).toEqual(names.map((name) => `DC1/sub/${name}`).sort());
    expect(totals).toMatchObject({ files: 3, ignored: 0 });
  });

  test('calls what has a marker’s name but is no file a problem, and does not look into it', async () => {
    const root = makeRoot();
    write(root, 'DC1/finished.parse/x');
    symlinkSync('/etc/hostname', `${root}/DC1/finished.watch`);
    const { paths, problems } = await list(root);
    expect(paths).toEqual([]);
    expect(problems).toEqual(['NOT_REGULAR DC1/finished.parse', 'NOT_REGULAR DC1/finished.watch']);
  });

  test('only counts ignored files', async () => {
    const root = makeRoot();
    write(root, 'DC1/a.raw', 'xx');
    write(root, 'DC1/a.tmp');
    write(root, 'DC1/sub/.b.part');
    symlinkSync('nowhere', `${root}/DC1/lock.tmp`);
    writeFileSync(Buffer.concat([Buffer.from(`${root}/DC1/`), Buffer.from([0xff]), Buffer.from('.tmp')]), '');
    write(root, 'DC1/folder.tmp/c.raw', 'xxx');
    const { paths, problems, totals } = await list(root);
    expect(paths).toEqual(['DC1/a.raw', 'DC1/folder.tmp/c.raw']);
    expect(problems).toEqual([]);
    expect(totals).toMatchObject({ files: 2, bytes: 5, ignored: 4, subfolders: 2 });
  });
});

describe('a listing never follows or opens', () => {
  test('symlinks', async () => {
    const root = makeRoot();
    write(root, 'elsewhere/secret');
    write(root, 'DC1/a');
    symlinkSync('../elsewhere', `${root}/DC1/folder`);
    symlinkSync('../elsewhere/secret', `${root}/DC1/file`);
    symlinkSync('nowhere', `${root}/DC1/dangling`);
    symlinkSync('.', `${root}/DC1/loop`);
    const { paths, problems, totals } = await list(root);
    expect(paths).toEqual(['DC1/a']);
    expect(problems).toEqual(['dangling', 'file', 'folder', 'loop'].map((name) => `NOT_REGULAR DC1/${name}`));
    expect(totals.subfolders).toBe(0);
  });

  test('a data directory that is a symlink', async () => {
    const root = makeRoot();
    write(root, 'elsewhere/secret');
    symlinkSync('elsewhere', `${root}/DC1`);
    const { batches, totals } = await list(root);
    expect(batches).toEqual([]);
    expect(totals.gone).toBe(true);
  });

  test('FIFOs and sockets', async () => {
    const root = makeRoot();
    write(root, 'DC1/sub/a');
    makeFifo(`${root}/DC1/sub/fifo`);
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(`${root}/DC1/socket`, resolve));
    try {
      const { paths, problems } = await list(root);
      expect(paths).toEqual(['DC1/sub/a']);
      expect(problems).toEqual(['NOT_REGULAR DC1/socket', 'NOT_REGULAR DC1/sub/fifo']);
    } finally {
      await new Promise((resolve) => server.close(resolve));
    }
  });
});

describe('a listing reports', () => {
  test('names that are not UTF-8, and goes on', async () => {
    const root = makeRoot();
    write(root, 'DC1/sub/good');
    const bytes = (path: string): Buffer =>
      Buffer.concat([Buffer.from(`${root}/DC1/sub/caf`), Buffer.from([0xe9]), Buffer.from(path)]);
    writeFileSync(bytes(''), 'x');
    mkdirSync(bytes('s'));
    writeFileSync(bytes('s/inside'), 'x');
    const { paths, problems } = await list(root);
    expect(paths).toEqual(['DC1/sub/good']);
    expect(problems).toEqual(['BAD_PATH DC1/sub/caf\ufffd', 'BAD_PATH DC1/sub/caf\ufffds']);
  });

  test('does not ignore a folder whose name is not UTF-8', async () => {
    const root = makeRoot();
    mkdirSync(`${root}/DC1`);
    mkdirSync(Buffer.concat([Buffer.from(`${root}/DC1/`), Buffer.from([0xff]), Buffer.from('.tmp')]));
    const { problems, totals } = await list(root);
    expect(problems).toEqual(['BAD_PATH DC1/\ufffd.tmp']);
    expect(totals.ignored).toBe(0);
  });

  test('paths that are too long', async () => {
    const root = makeRoot();
    write(root, 'DC1/good');
    // mkdir takes no path over 4,096 bytes, so it is made from inside.
    const long = 'n'.repeat(250);
    const script = `cd "$1/DC1" && i=0 && while [ $i -lt 17 ]; do mkdir ${long} && cd ${long} || exit 1; i=$((i+1)); done; echo x > x`;
    execFileSync('bash', ['-c', script, '-', root]);
    const { paths, problems } = await list(root);
    expect(paths).toEqual(['DC1/good']);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatch(/^BAD_PATH DC1\/n+\//);
    execFileSync('rm', ['-r', root]);
  });

  test('trees that are too deep, and reads what lies above', async () => {
    const root = makeRoot();
    const deep = Array.from({ length: MAX_FOLDER_DEPTH }, (_, level) => `d${level}`);
    write(root, `DC1/${deep.join('/')}/hidden`);
    write(root, `DC1/${deep.slice(1).join('/')}/seen`);
    const { paths, problems, totals } = await list(root);
    expect(paths).toEqual([`DC1/${deep.slice(1).join('/')}/seen`]);
    expect(problems).toEqual([`BAD_PATH DC1/${deep.join('/')}`]);
    expect(totals.subfolders).toBe(2 * (MAX_FOLDER_DEPTH - 1));
  });

  test.skipIf(lacksRoot())('folders that can’t be read or searched, once each, and goes on', async () => {
    const root = makeRoot();
    write(root, 'DC1/a');
    write(root, 'DC1/z/b');
    write(root, 'DC1/unreadable/c');
    for (const name of ['1', '2', '3']) write(root, `DC1/unsearchable/${name}`);
    chmodSync(`${root}/DC1/unreadable`, 0o700);
    chmodSync(`${root}/DC1/unsearchable`, 0o744);
    // A listing of less than one batch makes all its calls in its first turn.
    const first = asStranger(() => listDirectory(root, rel('DC1'), { ignore: nothingIgnored }).next());
    const { value } = await first;
    const { paths, problems } = summary([value as readonly Finding[]]);
    expect(paths).toEqual(['DC1/a', 'DC1/z/b']);
    expect(problems).toEqual(['FILE_UNREADABLE DC1/unreadable', 'FILE_UNREADABLE DC1/unsearchable']);
  });

  test.skipIf(lacksRoot())('a data directory that can’t be read', async () => {
    const root = makeRoot();
    write(root, 'DC1/a');
    chmodSync(`${root}/DC1`, 0o700);
    const listing = listDirectory(root, rel('DC1'), { ignore: nothingIgnored });
    const { value } = await asStranger(() => listing.next());
    expect(value).toEqual([
      { kind: 'problem', problem: expect.objectContaining({ code: 'FILE_UNREADABLE', path: 'DC1' }) },
    ]);
    expect(await listing.next()).toMatchObject({ done: true, value: { gone: false, files: 0 } });
  });

  test('a data directory that is gone', async () => {
    const root = makeRoot();
    write(root, 'file');
    expect((await list(root, 'DC1')).totals.gone).toBe(true);
    expect((await list(root, 'file')).totals.gone).toBe(true);
  });
});

describe('while it is listed', () => {
  /** More than fit in what Node reads ahead, so that the end of the folder is not known at the first batch. */
  const MANY = 3 * MAX_FINDINGS_PER_BATCH;

  function fill(root: string, folder: string): void {
    mkdirSync(`${root}/${folder}`, { recursive: true });
    for (let index = 0; index < MANY; index++) writeFileSync(`${root}/${folder}/f${index}`, '');
  }

  test('files come in bounded batches, and other work gets its turn between them', async () => {
    const root = makeRoot();
    fill(root, 'DC1');
    let turns = 0;
    let listing = true;
    const count = (): void => {
      turns++;
      if (listing) setImmediate(count);
    };
    setImmediate(count);
    const { batches, totals } = await list(root);
    listing = false;
    expect(totals.files).toBe(MANY);
    expect(Math.max(...batches.map((batch) => batch.length))).toBe(MAX_FINDINGS_PER_BATCH);
    expect(Math.min(...batches.map((batch) => batch.length))).toBeGreaterThan(0);
    expect(turns).toBeGreaterThanOrEqual(2);
  });

  test('other work gets its turn also where nothing is found', async () => {
    const root = makeRoot();
    fill(root, 'DC1');
    let turns = 0;
    let listing = true;
    const count = (): void => {
      turns++;
      if (listing) setImmediate(count);
    };
    setImmediate(count);
    const { batches, totals } = await list(root, 'DC1', ['f*']);
    listing = false;
    expect(batches).toEqual([]);
    expect(totals.ignored).toBe(MANY);
    expect(turns).toBeGreaterThanOrEqual(2);
  });

  test('a data directory that is removed is gone, not empty', async () => {
    const root = makeRoot();
    fill(root, 'DC1');
    const listing = listDirectory(root, rel('DC1'), { ignore: nothingIgnored });
    await listing.next();
    rmSync(`${root}/DC1`, { recursive: true });
    expect(await rest(listing)).toMatchObject({ gone: true });
  });

  test('a data directory that is replaced is gone', async () => {
    const root = makeRoot();
    fill(root, 'DC1');
    const listing = listDirectory(root, rel('DC1'), { ignore: nothingIgnored });
    await listing.next();
    renameSync(`${root}/DC1`, `${root}/moved`);
    write(root, 'DC1/new');
    expect(await rest(listing)).toMatchObject({ gone: true });
  });

  test('a subfolder that vanishes is no problem', async () => {
    const root = makeRoot();
    fill(root, 'DC1/sub');
    const listing = listDirectory(root, rel('DC1'), { ignore: nothingIgnored });
    await listing.next();
    rmSync(`${root}/DC1/sub`, { recursive: true });
    const problems: unknown[] = [];
    expect(await rest(listing, problems)).toMatchObject({ gone: false });
    expect(problems).toEqual([]);
  });

  test('it ends with the reason of its signal', async () => {
    const root = makeRoot();
    fill(root, 'DC1');
    const stop = new AbortController();
    const listing = listDirectory(root, rel('DC1'), { ignore: nothingIgnored, signal: stop.signal });
    await listing.next();
    stop.abort(new Error('enough'));
    await expect(rest(listing)).rejects.toThrow('enough');
  });

  test('a signal that fired before keeps it from looking at all', async () => {
    const signal = AbortSignal.abort(new Error('enough'));
    const listing = listDirectory('/nowhere', rel('DC1'), { ignore: nothingIgnored, signal });
    await expect(listing.next()).rejects.toThrow('enough');
  });

  test.skipIf(process.platform !== 'linux')('ending it early closes every folder', async () => {
    const root = makeRoot();
    fill(root, 'DC1/a/b/c');
    const listing = listDirectory(root, rel('DC1'), { ignore: nothingIgnored });
    await listing.next();
    expect(openBelow(root).length).toBe(4);
    for await (const batch of listing) {
      expect(batch.length).toBeGreaterThan(0);
      break;
    }
    expect(openBelow(root).length).toBe(0);
  });
});

async function rest(listing: ReturnType<typeof listDirectory>, problems: unknown[] = []): Promise<unknown> {
  for (;;) {
    const next = await listing.next();
    if (next.done === true) return next.value;
    problems.push(...next.value.filter((finding) => finding.kind === 'problem'));
  }
}
