import { execFileSync } from 'node:child_process';
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
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { digestOf } from '../../src/model/digest.ts';
import { toMicroseconds } from '../../src/model/file-entry.ts';
import { parseRelPath } from '../../src/model/rel-path.ts';
import { openFileStore } from '../../src/store/file/file-store.ts';
import { digestIn, fileAt, joined, listPaths, putBytes, xxh64 } from '../suites/store/files.ts';
import { asNobody } from '../../harness/as-nobody.ts';
import { useStoreFolder } from './folder.ts';
import { begin, CONTENT, finish, LARGE, leavePart } from './large-file.ts';

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

describe('symlinks that somebody planted', () => {
  it('in place of a folder are a conflict, and nothing is written or read through them', async () => {
    const store = await folder.open();
    mkdirSync(join(folder.outside, 'sub'));
    writeFileSync(join(folder.outside, 'sub/secret'), 'secret');
    symlinkSync(folder.outside, join(folder.root, 'dev'));
    for (const path of ['dev/f', 'dev/sub/f', 'dev/sub/secret']) {
      await expect(putBytes(store, path, 'x')).rejects.toMatchObject({ code: 'PATH_CONFLICT' });
      await expect(store.begin(fileAt(path, 1), { algorithm: 'xxh64', resume: true })).rejects.toMatchObject({
        code: 'PATH_CONFLICT',
      });
    }
    await expect(store.sync(parseRelPath('dev/sub'))).rejects.toMatchObject({ code: 'PATH_CONFLICT' });
    const secret = parseRelPath('dev/sub/secret');
    expect(await store.stat(secret)).toBeUndefined();
    expect(await digestIn(store, secret)).toBeUndefined();
    for (const prefix of ['', 'dev', 'dev/sub', 'dev/sub/secret'])
      expect(await listPaths(store, prefix)).toEqual([]);
    expect(readFileSync(join(folder.outside, 'sub/secret'), 'utf8')).toBe('secret');
    expect(readdirSync(join(folder.outside, 'sub'))).toEqual(['secret']);
  });

  it('while an upload is under way are a conflict at its commit', async () => {
    const store = await folder.open();
    const upload = await begin(store);
    symlinkSync(folder.outside, join(folder.root, 'dev'));
    await expect(finish(upload)).rejects.toMatchObject({ code: 'PATH_CONFLICT' });
    expect(readdirSync(folder.outside)).toEqual([]);
  });

  it('in place of a file are no file, and are replaced themselves', async () => {
    const store = await folder.open();
    const target = join(folder.outside, 'target');
    writeFileSync(target, 'outside');
    mkdirSync(join(folder.root, 'd'));
    symlinkSync(target, join(folder.root, 'd/f'));
    expect(await store.stat(parseRelPath('d/f'))).toBeUndefined();
    expect(await digestIn(store, 'd/f')).toBeUndefined();
    expect(await listPaths(store)).toEqual([]);
    await putBytes(store, 'd/f', 'inside');
    expect(lstatSync(join(folder.root, 'd/f')).isFile()).toBe(true);
    expect(readFileSync(target, 'utf8')).toBe('outside');
  });

  it('and FIFOs hold up nobody', async () => {
    const store = await folder.open();
    execFileSync('mkfifo', [join(folder.root, 'fifo')]);
    expect(await digestIn(store, 'fifo')).toBeUndefined();
    expect(await listPaths(store)).toEqual([]);
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

describe('an immutable store', () => {
  it('keeps the first content for ever, and takes it again', async () => {
    const store = await folder.open({ immutable: true });
    await putBytes(store, 'd/f', 'first', 1);
    await putBytes(store, 'd/f', 'first', 1);
    await putBytes(store, 'd/f', 'first', 2);
    for (const content of ['other', 'longer than before'])
      await expect(putBytes(store, 'd/f', content)).rejects.toMatchObject({
        code: 'IMMUTABLE',
        retryable: false,
      });
    expect(readFileSync(join(folder.root, 'd/f'), 'utf8')).toBe('first');
    expect(statSync(join(folder.root, 'd/f')).nlink).toBe(1);
    expect(await folder.staged()).toEqual([]);
  });

  it('refuses uploads as well, of another size before the first byte', async () => {
    const store = await folder.open({ immutable: true });
    await finish(await begin(store));
    await finish(await begin(store));
    const options = { algorithm: 'xxh64', resume: true } as const;
    await expect(store.begin({ ...LARGE, size: 5 }, options)).rejects.toMatchObject({ code: 'IMMUTABLE' });
    const upload = await begin(store);
    await upload.write(Buffer.alloc(CONTENT.length));
    await expect(upload.commit(digestOf('xxh64', Buffer.alloc(CONTENT.length)))).rejects.toMatchObject({
      code: 'IMMUTABLE',
    });
    expect(readFileSync(join(folder.root, LARGE.path))).toEqual(CONTENT);
    expect(await folder.staged()).toEqual([]);
  });

  it('lets exactly one of two contents win, also of two processes at the same time', async () => {
    const stores = [await folder.open({ immutable: true }), await folder.open({ immutable: true })];
    for (let i = 0; i < 20; i += 1) {
      const results = await Promise.allSettled(
        stores.map((store, n) => putBytes(store, `d/${i}`, `by ${n}`)),
      );
      const won = results.findIndex(({ status }) => status === 'fulfilled');
      expect(results[1 - won]).toMatchObject({ status: 'rejected', reason: { code: 'IMMUTABLE' } });
      expect(readFileSync(join(folder.root, `d/${i}`), 'utf8')).toBe(`by ${won}`);
    }
  });

  it('removes nothing that is kept', async () => {
    const store = await folder.open({ immutable: true });
    await putBytes(store, 'd/f', 'first');
    await expect(store.remove(parseRelPath('d/f'))).rejects.toMatchObject({ code: 'IMMUTABLE' });
    expect(readFileSync(join(folder.root, 'd/f'), 'utf8')).toBe('first');
    await store.remove(parseRelPath('d/none'));
  });

  it('does not replace a symlink or a folder either', async () => {
    const store = await folder.open({ immutable: true });
    symlinkSync(join(folder.outside, 'target'), join(folder.root, 'link'));
    mkdirSync(join(folder.root, 'folder'));
    for (const path of ['link', 'folder'])
      await expect(putBytes(store, path, 'x')).rejects.toMatchObject({ code: 'PATH_CONFLICT' });
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
