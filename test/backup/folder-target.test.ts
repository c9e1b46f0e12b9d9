import { createHash, randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openFolderTarget } from '../../src/backup/target/folder/folder-target.ts';
import { backupTargetSuite } from '../suites/backup-target.ts';

let path: string;
beforeEach(async () => {
  path = await mkdtemp(join(tmpdir(), 'isync-target-'));
});
afterEach(async () => {
  await rm(path, { recursive: true, force: true });
});

const open = () => openFolderTarget({ path, job: 'app' });
const ATTRIBUTES = { partBytes: 10, tags: {}, metadata: {} };

function partOf(number: number, text: string) {
  const bytes = Buffer.from(text);
  return { number, bytes, md5: createHash('md5').update(bytes).digest('base64') };
}

backupTargetSuite('a folder', { open: async () => open() });

describe('a folder as a target', () => {
  it('leaves nothing beside its objects', async () => {
    const target = open();
    await target.put('a', Buffer.from('one'));
    await target.putIfAbsent('a', Buffer.from('two'));
    const upload = { key: 'b', id: await target.begin('b', ATTRIBUTES) };
    const etag = await target.putPart(upload, partOf(1, 'ten bytes.'));
    await target.complete(upload, [etag], 10);
    const dropped = { key: 'c', id: await target.begin('c', ATTRIBUTES) };
    await target.putPart(dropped, partOf(1, 'ten bytes.'));
    await target.abort(dropped);
    expect((await readdir(join(path, 'app'))).toSorted()).toEqual(['a', 'b']);
    expect(await readFile(join(path, 'app', 'a'), 'utf8')).toBe('one');
  });

  it('goes on with an upload of another process', async () => {
    const upload = { key: 'b', id: await open().begin('b', ATTRIBUTES) };
    await open().putPart(upload, partOf(2, 'and three.'));
    await open().putPart(upload, partOf(3, 'longer.'));
    const target = open();
    expect([...(await target.parts(upload))!.keys()]).toEqual([2, 3]);
    const parts = [partOf(1, 'one, two, '), partOf(2, 'and three.'), partOf(3, 'end')];
    const etags = [];
    for (const part of parts) etags.push(await target.putPart(upload, part));
    await open().complete(upload, etags, 23);
    expect(await readFile(join(path, 'app', 'b'), 'utf8')).toBe('one, two, and three.end');
  });

  it('makes no object of parts that are missing, others, or too short', async () => {
    const target = open();
    const upload = { key: 'b', id: await target.begin('b', ATTRIBUTES) };
    const first = await target.putPart(upload, partOf(1, 'short'));
    const third = await target.putPart(upload, partOf(3, 'third'));
    for (const etags of [[first, third], [third], [first, third, third]])
      await expect(target.complete(upload, etags, 10)).rejects.toMatchObject({ code: 'STORE_FAILED' });
    expect(await target.head('b')).toBeUndefined();
  });

  it('knows an upload that was published, but not cleared away, as complete', async () => {
    const upload = { key: 'b', id: await open().begin('b', ATTRIBUTES) };
    const etag = await open().putPart(upload, partOf(1, 'content'));
    await rename(join(path, 'app/.uploads/b', upload.id, 'content'), join(path, 'app/b'));
    expect(await open().complete(upload, [etag], 7)).toMatchObject({ key: 'b', size: 7 });
    expect(await readdir(join(path, 'app'))).toEqual(['b']);
  });

  it('clears the folder of an upload away that was never begun', async () => {
    await mkdir(join(path, 'app/.uploads/b'), { recursive: true });
    const found = [];
    for await (const upload of open().uploads()) found.push(upload);
    expect(found).toEqual([]);
    expect(await readdir(join(path, 'app'))).toEqual([]);
  });

  it('makes no root that is missing, for its disk may not be mounted', async () => {
    await rm(path, { recursive: true });
    const target = open();
    await expect(target.put('a', randomBytes(1))).rejects.toMatchObject({ code: 'STORE_MISSING' });
    await expect(target.begin('a', ATTRIBUTES)).rejects.toMatchObject({ code: 'STORE_MISSING' });
    await expect(target.remove('a')).rejects.toMatchObject({ code: 'STORE_MISSING' });
    await expect(target.list()[Symbol.asyncIterator]().next()).rejects.toMatchObject({
      code: 'STORE_MISSING',
    });
    await expect(readdir(path)).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('takes neither keys nor ids that lead elsewhere, and follows no symlink', async () => {
    const target = open();
    await writeFile(join(path, 'secret'), 'secret');
    for (const key of ['../secret', '..', '', '.uploads', 'a/b', 'a\0b']) {
      await expect(target.put(key, randomBytes(1))).rejects.toMatchObject({ code: 'BAD_PATH' });
      await expect(target.remove(key)).rejects.toMatchObject({ code: 'BAD_PATH' });
      await expect(target.abort({ key, id: '1-1-0123456789abcdef' })).rejects.toMatchObject({
        code: 'BAD_PATH',
      });
    }
    await expect(target.abort({ key: 'a', id: '../../..' })).rejects.toMatchObject({ code: 'MISSING' });
    await target.put('a', Buffer.from('one'));
    await symlink(join(path, 'secret'), join(path, 'app', 'link'));
    expect(await target.read('link')).toBeUndefined();
    expect(await readFile(join(path, 'secret'), 'utf8')).toBe('secret');
  });
});
