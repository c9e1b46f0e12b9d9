import {
  appendFileSync,
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { open } from 'node:fs/promises';
import { setImmediate as turn } from 'node:timers/promises';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { toMicroseconds } from '../../src/model/file-entry.ts';
import { parseRelPath } from '../../src/model/rel-path.ts';
import { openFileStore } from '../../src/store/file/file-store.ts';
import { digestIn, fileAt, joined, listPaths, putBytes, xxh64 } from '../suites/store/files.ts';
import { asNobody } from '../../harness/as-nobody.ts';
import { useStoreFolder } from './folder.ts';
import { begin, finish, leavePart } from './large-file.ts';

const folder = useStoreFolder();

describe('opening', () => {
  it('refuses a folder that is not there, and something else than a folder', async () => {
    writeFileSync(join(folder.outside, 'file'), '');
    for (const path of ['nowhere', 'file', 'file/below'])
      await expect(openFileStore(join(folder.outside, path))).rejects.toMatchObject({
        code: 'STORE_MISSING',
        hint: expect.any(String),
      });
    expect(existsSync(join(folder.outside, 'nowhere'))).toBe(false);
  });

  it('refuses a store that it must not write', async () => {
    chmodSync(dirname(folder.root), 0o755);
    chmodSync(folder.root, 0o555);
    await asNobody(() =>
      expect(openFileStore(folder.root)).rejects.toMatchObject({
        code: 'STORE_FAILED',
        hint: expect.any(String),
      }),
    );
  });

  it('refuses a store whose own folder is a symlink', async () => {
    symlinkSync(folder.outside, join(folder.root, '.isync'));
    await expect(openFileStore(folder.root)).rejects.toMatchObject({ code: 'PATH_CONFLICT' });
    expect(readdirSync(folder.outside)).toEqual([]);
  });

  it('follows a symlink to the store itself', async () => {
    symlinkSync(folder.root, join(folder.outside, 'link'));
    await using store = await openFileStore(join(folder.outside, 'link'));
    await putBytes(store, 'd/f', 'x');
    expect(readFileSync(join(folder.root, 'd/f'), 'utf8')).toBe('x');
  });
});

describe('its own folder', () => {
  it('is private, is never listed, and nobody may publish to it', async () => {
    const store = await folder.open();
    const part = await leavePart(folder, store);
    expect(part.startsWith(join(folder.root, '.isync/staging/'))).toBe(true);
    expect(lstatSync(join(folder.root, '.isync')).mode & 0o777).toBe(0o700);
    await putBytes(store, 'd/.isync/f', 'x');
    expect(await listPaths(store)).toEqual(['d/.isync/f']);
    const own = part.slice(folder.root.length + 1);
    expect(await listPaths(store, own)).toEqual([]);
    expect(await store.stat(parseRelPath(own))).toBeUndefined();
    expect(await digestIn(store, own)).toBeUndefined();
    for (const path of ['.isync', '.isync/f', '.Isync/f'])
      await expect(putBytes(store, path, 'x')).rejects.toMatchObject({ code: 'BAD_PATH' });
  });

  it('is empty of files when all is published or refused', async () => {
    const store = await folder.open();
    await finish(await begin(store));
    await putBytes(store, 'a', 'x');
    await Promise.allSettled([
      putBytes(store, 'a', 'y'),
      putBytes(store, 'a/b', 'x'),
      store.put(fileAt('c', 1), Buffer.from('x'), xxh64('y')),
    ]);
    const failing = await store.begin(fileAt('e', 1), { algorithm: 'xxh64', resume: true });
    await putBytes(store, 'e/inside', 'x');
    await failing.write(Buffer.from('x'));
    await expect(failing.commit(xxh64('x').value)).rejects.toMatchObject({ code: 'PATH_CONFLICT' });
    expect(await folder.staged()).toEqual([]);
    expect(await listPaths(store)).toEqual(['a', 'dev/DC1/large', 'e/inside']);
  });

  it('is made again when somebody removed it', async () => {
    const store = await folder.open();
    rmSync(join(folder.root, '.isync'), { recursive: true });
    await putBytes(store, 'd/f', 'x');
    rmSync(join(folder.root, '.isync'), { recursive: true });
    await finish(await begin(store));
    expect(await listPaths(store)).toEqual(['d/f', 'dev/DC1/large']);
  });

  it('is not made in another folder that took the place of the store', async () => {
    const store = await folder.open();
    renameSync(folder.root, join(folder.outside, 'moved'));
    mkdirSync(folder.root);
    await expect(putBytes(store, 'd/f', 'x')).rejects.toMatchObject({
      code: 'STORE_MISSING',
      retryable: true,
    });
    await expect(begin(store)).rejects.toMatchObject({ code: 'STORE_MISSING' });
    expect(readdirSync(folder.root)).toEqual([]);
  });
});

describe('what is published', () => {
  it('has mode 0644, whatever the umask, and the mtime within a microsecond', async () => {
    const store = await folder.open();
    const old = process.umask(0o077);
    folder.afterwards(() => process.umask(old));
    for (const mtimeUs of [1_700_000_000_123_456, 1_234_567_890_000_001, 999_999, -1_500_001]) {
      await putBytes(store, 'd/put', 'x', mtimeUs);
      const upload = await store.begin(fileAt('d/upload', 1, mtimeUs), { algorithm: 'xxh64', resume: true });
      await upload.write(Buffer.from('x'));
      await upload.commit(xxh64('x').value);
      for (const name of ['d/put', 'd/upload']) {
        const { mode, mtimeMs } = statSync(join(folder.root, name));
        expect(mode & 0o7777).toBe(0o644);
        expect(Math.abs(toMicroseconds(mtimeMs) - mtimeUs)).toBeLessThanOrEqual(1);
      }
    }
  });

  it('replaces a file atomically: who has the old one open reads on in it', async () => {
    const store = await folder.open();
    await putBytes(store, 'd/f', 'old');
    await using reader = await open(join(folder.root, 'd/f'));
    await putBytes(store, 'd/f', 'brand new');
    expect(await reader.readFile('utf8')).toBe('old');
  });

  it('is refused when its path is too long for the file system', async () => {
    const store = await folder.open();
    const path = Array.from({ length: 2040 }, () => 'd').join('/');
    await expect(putBytes(store, `${path}/${'n'.repeat(16)}`, 'x')).rejects.toMatchObject({
      code: 'BAD_PATH',
      retryable: false,
    });
  });
});

it('lists no names that are not UTF-8, and all others', async () => {
  const store = await folder.open();
  const invalid = (...bytes: number[]): Buffer =>
    Buffer.concat([Buffer.from(`${folder.root}/`), Buffer.from(bytes)]);
  for (const name of [invalid(0x66, 0xff), invalid(0x66, 0xfe)]) writeFileSync(name, '');
  for (const name of ['f\uFFFD', 'g']) await putBytes(store, name, 'x');
  expect(await listPaths(store)).toEqual(['f\uFFFD', 'g'].sort());
});

it('lets other work have its turn while it lists a large folder', async () => {
  const store = await folder.open();
  mkdirSync(join(folder.root, 'd'));
  for (let i = 0; i < 5000; i++) writeFileSync(join(folder.root, `d/${i}`), '');
  let turns = 0;
  const timer = setInterval(() => turns++, 1);
  const listed = await listPaths(store);
  clearInterval(timer);
  expect(listed).toHaveLength(5000);
  expect(turns).toBeGreaterThan(1);
});

it('lists folders of many files and many folders completely', async () => {
  const store = await folder.open();
  const paths = Array.from({ length: 700 }, (_, i) => (i < 400 ? `d/${i}` : `${i}/f`)).sort();
  for (const path of paths) {
    mkdirSync(dirname(join(folder.root, path)), { recursive: true });
    writeFileSync(join(folder.root, path), '');
  }
  expect(await listPaths(store)).toEqual(paths);
});

describe('a file that is read', () => {
  const path = parseRelPath('d/f');

  it('is its old version, whole, when it is replaced after the first byte', async () => {
    const store = await folder.open();
    const [old, later] = [Buffer.alloc(600_000, 'old'), Buffer.alloc(600_000, 'later')];
    await putBytes(store, 'd/f', old);
    const { bytes } = (await store.read(path))!;
    const pieces: Uint8Array[] = [];
    for await (const piece of bytes) {
      if (pieces.length === 0) await putBytes(store, 'd/f', later);
      pieces.push(piece);
    }
    expect(Buffer.concat(pieces).equals(old)).toBe(true);
  });

  it.each([
    ['replaced before the first byte', () => renameSync(join(folder.root, 'd/g'), join(folder.root, 'd/f'))],
    ['written to', () => appendFileSync(join(folder.root, 'd/f'), 'more')],
    ['cut', () => truncateSync(join(folder.root, 'd/f'), 1)],
    ['gone', () => rmSync(join(folder.root, 'd/f'))],
  ])('is none when it was %s', async (_, change) => {
    const store = await folder.open();
    for (const name of ['f', 'g']) await putBytes(store, `d/${name}`, 'content');
    const { bytes } = (await store.read(path))!;
    change();
    await expect(joined(bytes)).rejects.toMatchObject({ code: 'FILE_CHANGED', retryable: true, path });
  });
});

describe('a file that is removed', () => {
  it('takes its empty folders along, also that of the device, and leaves those that are not empty', async () => {
    const store = await folder.open();
    await putBytes(store, 'dev/DC1/deep/f', 'x');
    mkdirSync(join(folder.root, 'dev/DC1/beside'));
    await store.remove(parseRelPath('dev/DC1/deep/f'));
    expect(readdirSync(join(folder.root, 'dev/DC1'))).toEqual(['beside']);
    rmdirSync(join(folder.root, 'dev/DC1/beside'));
    await store.remove(parseRelPath('dev/DC1/deep/f'));
    expect(readdirSync(folder.root)).toEqual(['.isync']);
  });

  it('is none beyond a symlink, and none where a symlink is', async () => {
    const store = await folder.open();
    mkdirSync(join(folder.outside, 'd'));
    writeFileSync(join(folder.outside, 'd/f'), 'x');
    symlinkSync(folder.outside, join(folder.root, 'dev'));
    symlinkSync(join(folder.outside, 'd/f'), join(folder.root, 'link'));
    for (const path of ['dev/d/f', 'link', 'dev']) await store.remove(parseRelPath(path));
    expect(readdirSync(join(folder.outside, 'd'))).toEqual(['f']);
    expect(readdirSync(folder.root).sort()).toEqual(['.isync', 'dev', 'link']);
  });
});

describe('limits', () => {
  it('takes nothing when less than minFreeBytes would be left, but reads', async () => {
    const writable = await folder.open();
    await putBytes(writable, 'd/f', 'x');
    await leavePart(folder, writable);
    const store = await folder.open({ minFreeBytes: 2 ** 52 });
    await expect(putBytes(store, 'd/g', 'x')).rejects.toMatchObject({ code: 'STORE_FULL', retryable: true });
    await expect(begin(store)).rejects.toMatchObject({ code: 'STORE_FULL', retryable: true });
    expect(await listPaths(store)).toEqual(['d/f']);
    expect((await begin(writable)).offset).toBe(1000);
  });

  it('believes no announced size', async () => {
    const store = await folder.open();
    const upload = await store.begin(fileAt('huge', 2 ** 52), { algorithm: 'xxh64', resume: true });
    await upload.write(Buffer.from('x'));
    const [part] = await folder.staged();
    expect(statSync(part!).size).toBe(1);
  });
});

describe('a removal', () => {
  it('is not held up by others who remove the folder before it is synced', async () => {
    const store = await folder.open();
    for (let round = 0; round < 100; round++) {
      const directory = join(folder.root, 'dev', 'd');
      mkdirSync(directory, { recursive: true });
      for (const name of ['a', 'b']) writeFileSync(join(directory, name), 'x');
      const removed = store.remove(parseRelPath('dev/d/a'));
      // The name is gone, and the folder is not synced yet.
      while (existsSync(join(directory, 'a'))) await turn();
      rmSync(directory, { recursive: true });
      await expect(removed).resolves.toBeUndefined();
    }
  });
});
