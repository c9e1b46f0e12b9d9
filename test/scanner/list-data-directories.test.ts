import { chmodSync, mkdirSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { stateOf } from '../../src/scanner/data-directory.ts';
import { inspectDataDirectory, listDataDirectories } from '../../src/scanner/list-data-directories.ts';
import { lacksRoot } from '../../harness/tools.ts';
import { asStranger, makeRoot, rel, write } from './support.ts';

async function names(root: string, tag = ''): Promise<string[]> {
  const { directories } = await listDataDirectories(root, { tag });
  return directories.map(({ name }) => name).sort();
}

describe('data directories', () => {
  test('are the first-level folders whose names begin with the tag', async () => {
    const root = makeRoot();
    for (const folder of ['DC1/sub', 'DC2', 'other', '.cache', '.DC3', 'lost+found'])
      mkdirSync(`${root}/${folder}`, { recursive: true });
    write(root, 'DCfile');
    expect(await names(root)).toEqual(['DC1', 'DC2', 'other']);
    expect(await names(root, 'DC')).toEqual(['DC1', 'DC2']);
    expect(await names(root, 'XX')).toEqual([]);
    expect((await listDataDirectories(root, { tag: '' })).problems).toEqual([]);
  });

  test('carry their times and markers', async () => {
    const root = makeRoot();
    write(root, 'active/a');
    write(root, 'closed/finished.parse', '');
    write(root, 'finished/finished.watch', '');
    write(root, 'both/finished.watch', '');
    write(root, 'both/finished.parse', '');
    write(root, 'nested/sub/finished.watch', '');
    mkdirSync(`${root}/folders/finished.watch`, { recursive: true });
    mkdirSync(`${root}/links`);
    symlinkSync('/etc/hostname', `${root}/links/finished.parse`);
    const { directories } = await listDataDirectories(root, { tag: '' });
    const states = directories.map((directory) => [
      directory.name,
      stateOf(directory, { newest: false, store: undefined }),
    ]);
    expect(Object.fromEntries(states)).toEqual({
      active: 'unclosed',
      closed: 'closed',
      finished: 'finished',
      both: 'finished',
      nested: 'unclosed',
      folders: 'unclosed',
      links: 'unclosed',
    });
    const { dev, ino, birthtimeMs, mtimeMs } = statSync(`${root}/both`);
    expect(directories).toContainEqual({
      name: 'both',
      device: dev,
      inode: ino,
      birthtimeMs,
      mtimeMs,
      seal: { mtimeMs: statSync(`${root}/both/finished.watch`).mtimeMs, record: undefined },
      closed: true,
    });
  });

  test('are all found where they are many', async () => {
    const root = makeRoot();
    const all = Array.from({ length: 300 }, (_, index) => `DC${index}`);
    for (const name of all) mkdirSync(`${root}/${name}`);
    expect(await names(root, 'DC')).toEqual(all.sort());
  });

  test('that are symlinks or not named in UTF-8 are problems, where the tag says that they are ours', async () => {
    const root = makeRoot();
    mkdirSync(`${root}/DC1`);
    symlinkSync('DC1', `${root}/DC2`);
    symlinkSync('DC1', `${root}/current`);
    symlinkSync('DC1', `${root}/.dot`);
    const bytes = (name: string): Buffer =>
      Buffer.concat([Buffer.from(`${root}/${name}`), Buffer.from([0xe9])]);
    mkdirSync(bytes('DCcaf'));
    mkdirSync(bytes('caf'));
    writeFileSync(bytes('DCfil'), '');
    const { directories, problems } = await listDataDirectories(root, { tag: 'DC' });
    expect(directories.map(({ name }) => name)).toEqual(['DC1']);
    expect(problems.map(({ code, path }) => `${code} ${path}`).sort()).toEqual([
      'BAD_PATH DCcaf\ufffd',
      'NOT_REGULAR DC2',
    ]);
  });

  test.skipIf(lacksRoot())('that can’t be looked into are problems', async () => {
    const root = makeRoot();
    mkdirSync(`${root}/DC1`, { mode: 0o700 });
    mkdirSync(`${root}/DC2`);
    const { directories, problems } = await asStranger(() => listDataDirectories(root, { tag: '' }));
    expect(directories.map(({ name }) => name)).toEqual(['DC2']);
    expect(problems).toMatchObject([{ code: 'FILE_UNREADABLE', path: 'DC1' }]);
  });
});

describe('a root', () => {
  test('tells how many files lie in it, hidden ones and markers apart', async () => {
    const root = makeRoot();
    for (const name of ['a', 'b.bin', '.hidden', 'DC1/c']) write(root, name);
    symlinkSync('a', `${root}/link`);
    expect(await listDataDirectories(root, { tag: '' })).toMatchObject({ looseFiles: 2, markers: false });
    expect(await listDataDirectories(root, { tag: 'DC' })).toMatchObject({ looseFiles: 2, markers: false });
    write(root, 'finished.parse', '');
    expect(await listDataDirectories(root, { tag: 'DC' })).toMatchObject({ looseFiles: 2, markers: true });
  });

  test.each(['finished.parse', 'finished.watch'])(
    'tells that %s lies in it, where it is a file',
    async (name) => {
      const [root, other] = [makeRoot(), makeRoot()];
      write(root, name, '');
      mkdirSync(`${other}/${name}`);
      expect(await listDataDirectories(root, { tag: '' })).toMatchObject({ looseFiles: 0, markers: true });
      expect(await listDataDirectories(other, { tag: '' })).toMatchObject({ looseFiles: 0, markers: false });
    },
  );

  test('may be a symlink', async () => {
    const root = makeRoot();
    mkdirSync(`${root}/real/DC1`, { recursive: true });
    symlinkSync('real', `${root}/link`);
    expect(await names(`${root}/link`)).toEqual(['DC1']);
  });

  test('that is no folder is an error', async () => {
    const root = makeRoot();
    write(root, 'file');
    for (const path of [`${root}/none`, `${root}/file`])
      await expect(listDataDirectories(path, { tag: '' })).rejects.toMatchObject({
        code: 'ROOT_MISSING',
        path,
      });
  });

  test.skipIf(lacksRoot())('that can’t be read is an error', async () => {
    const root = makeRoot();
    chmodSync(root, 0o700);
    await expect(asStranger(() => listDataDirectories(root, { tag: '' }))).rejects.toMatchObject({
      code: 'FILE_UNREADABLE',
      path: root,
    });
  });
});

describe('one data directory', () => {
  test('is found as the list finds it', async () => {
    const root = makeRoot();
    write(root, 'DC1/finished.parse', '');
    const { directories } = await listDataDirectories(root, { tag: '' });
    expect([inspectDataDirectory(root, rel('DC1'))]).toEqual(directories);
  });

  test('is nothing where there is none', () => {
    const root = makeRoot();
    mkdirSync(`${root}/.cache`);
    mkdirSync(`${root}/lost+found`);
    mkdirSync(`${root}/DC1/sub`, { recursive: true });
    write(root, 'file');
    symlinkSync('DC1', `${root}/link`);
    const names = ['none', 'file', 'link', '.cache', 'lost+found', 'DC1/sub', 'file/x', 'DC1'];
    const found = names.filter((name) => inspectDataDirectory(root, rel(name)) !== undefined);
    expect(found).toEqual(['DC1']);
    rmSync(`${root}/DC1`, { recursive: true });
    expect(inspectDataDirectory(root, rel('DC1'))).toBeUndefined();
  });

  test.skipIf(lacksRoot())('that can’t be looked into is an error', () => {
    const root = makeRoot();
    mkdirSync(`${root}/DC1`, { mode: 0o700 });
    expect(() => asStranger(() => inspectDataDirectory(root, rel('DC1')))).toThrow(
      expect.objectContaining({ code: 'FILE_UNREADABLE', path: 'DC1' }),
    );
  });
});
