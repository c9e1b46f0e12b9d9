import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { openFileStore } from '../../src/store/file/file-store.ts';
import { isync } from '../cli/isync-process.ts';
import { temporaryFolder } from '../cli/temporary-folder.ts';

let store: string;
let back: string;

beforeEach(() => {
  store = temporaryFolder();
  back = temporaryFolder();
});

/** Files as a parser has written them: DC1 is closed. */
function written(root: string): string {
  for (const name of ['DC1/sub', 'DC2']) mkdirSync(join(root, name), { recursive: true });
  const files = { 'DC1/a.bin': 'aaaa', 'DC1/sub/b.log': 'bb', 'DC2/c.bin': 'c' };
  for (const [path, content] of Object.entries(files)) {
    writeFileSync(join(root, path), content);
    utimesSync(join(root, path), 1_700_000_000.5, 1_700_000_000.5);
  }
  writeFileSync(join(root, 'DC1/finished.parse'), '');
  return root;
}

/** The same at the target, as they are once they have been sent. */
async function sent(): Promise<void> {
  written(join(store, 'edge1'));
  await using opened = await openFileStore(store);
  await opened.identity();
}

const json = (text: string): unknown => JSON.parse(text);

describe('ls', () => {
  it('lists devices, the directories of one, and the files of one', async () => {
    await sent();
    const devices = await isync(['ls', store]);
    expect(devices).toMatchObject({ code: 0 });
    expect(devices.stdout).toMatch(
      /^DEVICE +DIRECTORIES +SEALED +FILES +SIZE +MODIFIED\nedge1 +2 +1 +4 +7 B /,
    );
    expect(devices.stdout).toContain('\n4 files, 7 B\n');

    const directories = await isync(['ls', join(store, 'edge1')]);
    expect(directories.stdout).toMatch(/\nDC1 +sealed +3 +6 B /);
    expect(directories.stdout).toMatch(/\nDC2 +- +1 +1 B +2023-11-14T22:13:20Z\n/);

    const files = await isync(['ls', join(store, 'edge1/DC1'), '--json']);
    expect(json(files.stdout)).toMatchObject({
      place: join(store, 'edge1/DC1'),
      entries: [
        { path: 'a.bin', size: 4, modified: '2023-11-14T22:13:20.500Z' },
        { path: 'finished.parse', size: 0 },
        { path: 'sub/b.log', size: 2 },
      ],
      files: 3,
      bytes: 6,
      left: 0,
      exitCode: 0,
    });
    const all = await isync(['ls', store, '--json']);
    expect(json(all.stdout)).toMatchObject({
      devices: [{ name: 'edge1', directories: 2, sealed: 1, files: 4, bytes: 7 }],
      entries: [],
    });
    const one = await isync(['ls', join(store, 'edge1'), '--json']);
    expect(json(one.stdout)).toMatchObject({
      directories: [
        { name: 'DC1', sealed: true, files: 3 },
        { name: 'DC2', sealed: false, files: 1 },
      ],
    });
    expect(readdirSync(store).toSorted()).toEqual(['.isync', 'edge1']);
  });

  it('says what is not there, and what it can not read', async () => {
    await sent();
    expect(await isync(['ls', join(store, 'edge2')])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('nothing is kept under this name [NOT_FOUND]'),
    });
    expect(await isync(['ls', join(store, '../none')])).toMatchObject({
      code: 5,
      stderr: expect.stringContaining('[STORE_MISSING]'),
    });
    for (const args of [['ls'], ['fetch', back]]) {
      const [command = '', ...more] = args;
      const { code, stderr } = await isync([command, 'wss://backup.example/.isync', ...more]);
      expect({ code, stderr }).toMatchObject({
        code: 2,
        stderr: expect.stringContaining('no name of a device'),
      });
    }
  });
});

describe('fetch', () => {
  it('brings back what was sent, refuses to overwrite, and goes on with what is missing', async () => {
    const root = written(temporaryFolder());
    const args = ['scan', root, '--to', store, '--device', 'edge1', '--once'];
    expect(await isync(args)).toMatchObject({ code: 0 });
    const run = async (...args: string[]) => {
      const ended = await isync(['fetch', join(store, 'edge1'), join(back, 'new'), ...args, '--json']);
      return { ...ended, summary: json(ended.stdout) };
    };
    const first = await run();
    expect(first).toMatchObject({
      code: 0,
      summary: { files: 4, bytes: 7, there: 0, problemCount: 0, into: join(back, 'new'), exitCode: 0 },
    });
    for (const path of ['DC1/a.bin', 'DC1/sub/b.log', 'DC2/c.bin']) {
      expect(readFileSync(join(back, 'new', path))).toEqual(readFileSync(join(root, path)));
      expect(statSync(join(back, 'new', path)).mtimeMs).toBe(statSync(join(root, path)).mtimeMs);
      expect(statSync(join(back, 'new', path)).mode & 0o777).toBe(0o644);
    }
    expect(readdirSync(join(back, 'new')).toSorted()).toEqual(['DC1', 'DC2']);

    writeFileSync(join(back, 'new/DC2/c.bin'), 'mine');
    const second = await run();
    expect(second).toMatchObject({
      code: 1,
      summary: {
        files: 0,
        there: 3,
        problems: [{ path: 'DC2/c.bin', code: 'NOT_OVERWRITTEN' }],
      },
    });
    expect(readFileSync(join(back, 'new/DC2/c.bin'), 'utf8')).toBe('mine');
    expect(await run('--overwrite')).toMatchObject({ code: 0, summary: { files: 1, there: 3 } });
    expect(readFileSync(join(back, 'new/DC2/c.bin'), 'utf8')).toBe('c');
  });

  it('brings what globs name, and says where they name nothing', async () => {
    await sent();
    const from = join(store, 'edge1');
    const some = await isync(['fetch', from, back, '*.log', 'DC2']);
    expect(some).toMatchObject({ code: 0, stdout: `2 files, 3 B fetched into ${back}\n` });
    expect(existsSync(join(back, 'DC1/a.bin'))).toBe(false);
    const none = await isync(['fetch', from, back, 'DC9']);
    expect(none).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('nothing that DC9 names is kept here [NOT_FOUND]'),
    });
    expect(none.stderr).toContain('isync ls FROM shows what is there');
    expect(await isync(['fetch', from, back, 'a[b'])).toMatchObject({ code: 2 });
  });

  it('reads a store by its name, and what lies in it', async () => {
    await sent();
    const config = join(back, 'isync.yaml');
    writeFileSync(config, `stores:\n  main: { url: ${store} }\nfetch:\n  overwrite: yes\n`);
    const ended = await isync(['fetch', 'store:main/edge1/DC1', join(back, 'DC1'), '--config', config]);
    expect(ended).toMatchObject({ code: 0, stdout: expect.stringContaining('3 files, 6 B fetched') });
    const listed = await isync(['ls', 'store:main/edge1', '--config', config]);
    expect(listed.stdout).toContain('DC2');
    expect(await isync(['ls', 'store:other/edge1', '--config', config])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('store:other'),
    });
  });

  it('refuses a folder within the store', async () => {
    await sent();
    const { code, stderr } = await isync(['fetch', join(store, 'edge1'), join(store, 'edge2')]);
    expect({ code, stderr }).toMatchObject({ code: 1, stderr: expect.stringContaining('[PATH_CONFLICT]') });
    expect(existsSync(join(store, 'edge2'))).toBe(false);
  });

  it('refuses a folder that the store lies in, whatever symlinks name it', async () => {
    const parent = store;
    store = join(parent, 'above/isync');
    mkdirSync(store, { recursive: true });
    await sent();
    const [link, into] = [join(back, 'link'), join(back, 'into')];
    symlinkSync(store, link);
    symlinkSync(parent, into);
    // A device may have the name of the store's folder: its files would come to be in the store.
    for (const [from, to] of [
      [join(store, 'edge1'), parent],
      [join(link, 'edge1'), into],
    ] as const)
      expect(await isync(['fetch', from, to])).toMatchObject({
        code: 1,
        stderr: expect.stringContaining('[PATH_CONFLICT]'),
      });
    expect(readdirSync(parent)).toEqual(['above']);
    expect(await isync(['fetch', join(link, 'edge1'), join(back, 'new')])).toMatchObject({ code: 0 });
  });

  it('takes no folder of a device for the store, whatever the device has put there', async () => {
    await sent();
    const device = join(store, 'edge1');
    mkdirSync(join(device, '.isync'));
    copyFileSync(join(store, '.isync/store-id'), join(device, '.isync/store-id'));
    const listed = await isync(['ls', device, '--json']);
    expect(json(listed.stdout)).toMatchObject({
      directories: [{ name: '.isync' }, { name: 'DC1' }, { name: 'DC2' }],
    });
    const link = join(back, 'link');
    symlinkSync(device, link);
    for (const from of [device, link])
      expect(await isync(['fetch', from, join(store, 'edge2')])).toMatchObject({
        code: 1,
        stderr: expect.stringContaining('lies within the store that is read [PATH_CONFLICT]'),
      });
    expect(existsSync(join(store, 'edge2'))).toBe(false);
  });
});
