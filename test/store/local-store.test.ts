import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { digestOf } from '../../src/model/digest.ts';
import { parseRelPath } from '../../src/model/rel-path.ts';
import { CHECKED, type ContentChecks, type LocalStore } from '../../src/store/file/local-store.ts';
import { IsyncError } from '../../src/model/isync-error.ts';
import { useStoreFolder } from './folder.ts';

const folder = useStoreFolder();
const path = parseRelPath;

async function put(store: LocalStore, name: string): Promise<void> {
  const bytes = Buffer.from(name);
  const digest = { algorithm: 'xxh64', value: digestOf('xxh64', bytes) } as const;
  await store.put({ path: path(name), size: bytes.length, mtimeUs: 0 }, bytes, digest);
}

function found(): string[] {
  return readdirSync(folder.root, { recursive: true })
    .map(String)
    .filter((name) => !name.startsWith('.isync'))
    .sort();
}

describe('a folder', () => {
  it('is made with those above, and removed with those above that this leaves empty', async () => {
    const store = await folder.open();
    await store.makeFolder(path('a/b/c'));
    await store.makeFolder(path('a/b/c'));
    await put(store, 'a/f');
    expect(found()).toEqual(['a', 'a/b', 'a/b/c', 'a/f']);
    await store.removeFolder(path('a/b'));
    expect(found()).toEqual(['a', 'a/b', 'a/b/c', 'a/f']);
    await store.removeFolder(path('a/b/c'));
    expect(found()).toEqual(['a', 'a/f']);
    await store.removeFolder(path('a/f'));
    await store.removeFolder(path('none/at/all'));
    expect(found()).toEqual(['a', 'a/f']);
  });

  it('is not made over a file or a symlink, nor removed through one', async () => {
    const store = await folder.open();
    writeFileSync(join(folder.root, 'file'), '');
    mkdirSync(join(folder.outside, 'inner'));
    symlinkSync(folder.outside, join(folder.root, 'link'));
    for (const name of ['file', 'file/x', 'link', 'link/x'])
      await expect(store.makeFolder(path(name))).rejects.toMatchObject({ code: 'PATH_CONFLICT' });
    await store.removeFolder(path('link/inner'));
    await store.removeFolder(path('link'));
    expect(readdirSync(folder.outside)).toEqual(['inner']);
    await expect(store.makeFolder(path('.isync/x'))).rejects.toMatchObject({ code: 'BAD_PATH' });
  });

  it('stays, however empty, where somebody keeps it', async () => {
    const store = await folder.open({ keeps: (each) => each === 'a/b' });
    await put(store, 'a/b/c/f');
    await store.remove(path('a/b/c/f'));
    expect(found()).toEqual(['a', 'a/b']);
    await store.removeFolder(path('a/b'));
    expect(found()).toEqual(['a', 'a/b']);
  });
});

it('settles what somebody else has put there, and nothing that is not', async () => {
  const store = await folder.open();
  writeFileSync(join(folder.root, 'f'), 'bytes');
  await store.settle(path('f'));
  await expect(store.settle(path('g'))).rejects.toMatchObject({ code: 'FILE_VANISHED' });
  symlinkSync('f', join(folder.root, 'link'));
  await expect(store.settle(path('link'))).rejects.toMatchObject({ code: 'FILE_VANISHED' });
});

it('gives files the mode that is asked for, whatever the umask', async () => {
  const store = await folder.open({ mode: 0o666 });
  await put(store, 'f');
  expect(statSync(join(folder.root, 'f')).mode & 0o777).toBe(0o666);
});

it('hands all bytes over to the checks of an upload, also those that an earlier attempt has staged', async () => {
  const store = await folder.open({ direct: true });
  const content = Buffer.alloc(1_000_000, 'content ');
  const file = { path: path('f'), size: content.length, mtimeUs: 1e6 };
  const first = await store.begin(file, { algorithm: 'xxh64', resume: true, checks: new Pieces() });
  await first.write(content.subarray(0, 700_000));
  await first.suspend();
  const checks = new Pieces();
  const second = await store.begin(file, { algorithm: 'xxh64', resume: true, checks });
  expect(Buffer.concat(checks.pieces)).toEqual(content.subarray(0, 700_000));
  expect(second.offset).toBe(700_000);
  await second.write(content.subarray(700_000));
  await second.commit(CHECKED);
  expect(Buffer.concat(checks.pieces)).toEqual(content);
  expect(readFileSync(join(folder.root, 'f'))).toEqual(content);
});

it('publishes nothing that the checks of an upload refuse, and keeps nothing of it', async () => {
  const store = await folder.open({ direct: true });
  const file = { path: path('f'), size: 3, mtimeUs: 1e6 };
  const begin = async (checks: Pieces) =>
    await store.begin(file, { algorithm: 'xxh64', resume: true, checks });
  const wrong = await begin(new Pieces(new IsyncError('DIGEST_MISMATCH', 'wrong')));
  await wrong.write(Buffer.from('abc'));
  await expect(wrong.commit(CHECKED)).rejects.toMatchObject({ code: 'DIGEST_MISMATCH' });
  expect(existsSync(join(folder.root, 'f'))).toBe(false);
  const short = await begin(new Pieces());
  expect(short.offset).toBe(0);
  await short.write(Buffer.from('ab'));
  await expect(short.commit(CHECKED)).rejects.toMatchObject({ code: 'DIGEST_MISMATCH' });
  const immutable = await folder.open({ immutable: true });
  await expect(
    immutable.begin(file, { algorithm: 'xxh64', resume: false, checks: new Pieces() }),
  ).rejects.toMatchObject({ code: 'INTERNAL' });
});

class Pieces implements ContentChecks {
  readonly pieces: Buffer[] = [];
  readonly #fault: IsyncError | undefined;

  constructor(fault?: IsyncError) {
    this.#fault = fault;
  }

  update(bytes: Uint8Array): void {
    this.pieces.push(Buffer.from(bytes));
  }

  check(): void {
    if (this.#fault !== undefined) throw this.#fault;
  }
}
