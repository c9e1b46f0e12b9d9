import { appendFileSync, chmodSync, renameSync, rmSync, statSync, symlinkSync, utimesSync } from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { digestOf } from '../../src/model/digest.ts';
import { parseRelPath, type RelPath } from '../../src/model/rel-path.ts';
import { MAX_CHUNK_BYTES, MAX_INLINE_BYTES } from '../../src/protocol/limits.ts';
import type { SourceFile, Target } from '../../src/sender/target.ts';
import { MemorySource } from '../sender/memory-source.ts';
import type { RecordingStore } from '../sender/recording-store.ts';
import { noise, SourceFolder } from '../sender/source-folder.ts';
import { digestIn } from './store/files.ts';
import { asNobody } from '../../harness/as-nobody.ts';

/** The device whose folder the target under test fills. */
export const DEVICE = 'edge1';

export interface TargetFixture extends AsyncDisposable {
  readonly target: Target;
  /** What is behind it. */
  readonly store: RecordingStore;
}

/** Files put at once, where no other number is asked for. */
const MANY = 1200;

/** What every form of Target promises; `contentOf` makes what is sent. */
export function targetSuite(
  name: string,
  setup: () => Promise<TargetFixture>,
  {
    contentOf = noise,
    many = MANY,
  }: { readonly contentOf?: (bytes: number, seed?: number) => Buffer; readonly many?: number } = {},
): void {
  describe(`target: ${name}`, () => {
    let fixture: TargetFixture;
    let target: Target;
    let store: RecordingStore;
    let folder: SourceFolder;

    beforeEach(async () => {
      folder = new SourceFolder();
      fixture = await setup();
      ({ target, store } = fixture);
    });

    afterEach(async () => {
      await fixture[Symbol.asyncDispose]();
      folder[Symbol.dispose]();
    });

    const storedDigest = (path: string) => digestIn(store, inStore(path));

    async function expectStored(source: SourceFile, content: Uint8Array): Promise<void> {
      const { path, size, mtimeUs } = source.entry;
      expect(await storedDigest(path)).toEqual(digestOf('xxh64', content));
      const entry = await store.stat(inStore(path));
      expect(entry?.size).toBe(size);
      expect(Math.abs((entry?.mtimeUs ?? 0) - mtimeUs)).toBeLessThanOrEqual(1);
    }

    it.each([
      ['an empty file', 0],
      ['one byte', 1],
      ['a small file', 4096],
      ['a file at the inline limit', MAX_INLINE_BYTES],
      ['a file just above the inline limit', MAX_INLINE_BYTES + 1],
      ['a file of one chunk', MAX_CHUNK_BYTES],
      ['a file of chunks and one byte', 3 * MAX_CHUNK_BYTES + 1],
      ['a file that asks for its offset', 4 * 1024 * 1024],
      ['a large file', 9 * 1024 * 1024 + 12_345],
    ])('keeps %s, durable when put resolves', async (_, size) => {
      const content = contentOf(size);
      const source = folder.write('DC1/sub/a.dat', content);
      const receipt = await target.put(source);
      await expectStored(source, content);
      expect(receipt.digest).toEqual(digestOf('xxh64', content));
      expect(receipt.sentBytes).toBe(size);
    });

    it('keeps names that are hard to handle', async () => {
      const paths = ['DC1/ leading', 'DC1/with\nnewline', 'DC1/grüße-日本-🎉', `DC1/${'x'.repeat(255)}`];
      await Promise.all(paths.map((path) => target.put(folder.write(path, path))));
      for (const path of paths)
        expect(await storedDigest(path)).toEqual(digestOf('xxh64', Buffer.from(path)));
    });

    it.each([
      ['small', 1000],
      ['large', 300_000],
    ])('refuses a %s file that changed since it was listed, and keeps the old version', async (_, size) => {
      const old = noise(size);
      const first = folder.write('DC1/a', old);
      await target.put(first);
      const stale = folder.write('DC1/a', noise(size, 2));
      appendFileSync(folder.path('DC1/a'), 'more');
      await expect(target.put(stale)).rejects.toMatchObject({ code: 'FILE_CHANGED' });
      await expectStored(first, old);
      await target.put(folder.source('DC1/a'));
      expect((await store.stat(inStore('DC1/a')))?.size).toBe(size + 4);
    });

    it('refuses a large file that changes while it is read', async () => {
      const source = folder.write('DC1/a', noise(8 * 1024 * 1024));
      store.before = () => appendFileSync(folder.path('DC1/a'), 'more');
      await expect(target.put(source)).rejects.toMatchObject({ code: 'FILE_CHANGED' });
      expect(await store.stat(inStore('DC1/a'))).toBeUndefined();
      store.before = () => {};
      await target.put(folder.write('DC1/b', 'the next one goes on'));
    });

    it('sees a change that was hidden by setting the mtime back', async () => {
      const source = folder.write('DC1/a', 'one');
      const { atime, mtime } = statSync(folder.path('DC1/a'));
      folder.write('DC1/a', 'two');
      utimesSync(folder.path('DC1/a'), atime, mtime);
      await expect(target.put(source)).rejects.toMatchObject({ code: 'FILE_CHANGED' });
    });

    it.each([
      ['small', 10],
      ['large', 300_000],
    ])('refuses a %s file that is gone or no file any more', async (_, size) => {
      const gone = folder.write('DC1/gone', noise(size));
      rmSync(folder.path('DC1/gone'));
      await expect(target.put(gone)).rejects.toMatchObject({ code: 'FILE_VANISHED', path: 'DC1/gone' });
      const link = folder.write('DC1/link', noise(size));
      renameSync(folder.path('DC1/link'), folder.path('DC1/elsewhere'));
      symlinkSync('elsewhere', folder.path('DC1/link'));
      await expect(target.put(link)).rejects.toMatchObject({ code: 'NOT_REGULAR' });
    });

    it.each([
      ['small', 10],
      ['large', 300_000],
    ])('refuses a %s file that can not be read', async (_, size) => {
      const source = folder.write('DC1/secret', noise(size));
      chmodSync(folder.path('DC1/secret'), 0);
      const unreadable = folder.source(source.entry.path);
      const refused = { code: 'FILE_UNREADABLE', retryable: false };
      // The store is ours, and so is its identity.
      await target.identify();
      await asNobody(() => expect(target.put(unreadable)).rejects.toMatchObject(refused));
    });

    it(`keeps ${many} files put at once`, async () => {
      const sources: SourceFile[] = [];
      for (let i = 0; i < many; i++) {
        sources.push(folder.write(`DC1/${i % 7}/${i}`, `content ${i}`));
        // On a slow disk the link would not hear of the other side for too long.
        if (i % 100 === 0) await nextTurn();
      }
      const receipts = await Promise.all(sources.map((source) => target.put(source)));
      expect(receipts).toHaveLength(many);
      const listed: string[] = [];
      for await (const entry of target.list('')) listed.push(entry.path);
      expect(listed.sort()).toEqual(sources.map(({ entry }): string => entry.path).sort());
      const last = many - 1;
      expect(await storedDigest(`DC1/${last % 7}/${last}`)).toEqual(
        digestOf('xxh64', Buffer.from(`content ${last}`)),
      );
    });

    it('sends live files ahead of the backlog that waits', async () => {
      const hold = Promise.withResolvers<void>();
      store.before = () => hold.promise;
      const content = noise(MAX_INLINE_BYTES);
      const backlog = Array.from({ length: 800 }, (_, i) =>
        target.put(new MemorySource(`DC1/${i}`, content)),
      );
      const live = target.put(folder.write('DC2/live', 'now'), { priority: 'live' });
      hold.resolve();
      await Promise.all([...backlog, live]);
      expect(store.done.indexOf(`put ${DEVICE}/DC2/live`)).toBeLessThan(700);
    });

    it('sends small files while large ones are under way', async () => {
      const large = Array.from({ length: 6 }, (_, i) =>
        target.put(folder.write(`DC1/large${i}`, contentOf(6 * 1024 * 1024, i))),
      );
      const small = Array.from({ length: 50 }, (_, i) => target.put(folder.write(`DC1/${i}`, 'small')));
      await Promise.all([...large, ...small]);
      const lastLarge = store.done.findLastIndex((line) => line.startsWith('commit'));
      const lastSmall = store.done.findLastIndex((line) => line.startsWith('put'));
      expect(lastSmall).toBeLessThan(lastLarge);
    });

    it('puts the same file again without harm, also at the same time', async () => {
      const content = noise(100_000);
      const source = folder.write('DC1/a', content);
      await Promise.all([target.put(source), target.put(source), target.put(source)]);
      await target.put(source);
      expect(await storedDigest('DC1/a')).toEqual(digestOf('xxh64', content));
    });

    it('looks at what the target holds, in the order asked', async () => {
      const a = folder.write('DC1/a', 'aaa');
      const b = folder.write('DC1/b', noise(100_000));
      await Promise.all([target.put(a), target.put(b)]);
      const [nothing, ofB, ofA] = await target.look([parseRelPath('DC1/none'), b.entry.path, a.entry.path]);
      expect(nothing).toBeUndefined();
      expect(ofB?.entry).toMatchObject({ path: 'DC1/b', size: 100_000 });
      expect(ofB?.digest).toBeUndefined();
      expect(Math.abs((ofA?.entry.mtimeUs ?? 0) - a.entry.mtimeUs)).toBeLessThanOrEqual(1);
      const digests = await target.look([a.entry.path, parseRelPath('DC1/none')], { digest: true });
      expect(digests[0]?.digest).toEqual(digestOf('xxh64', Buffer.from('aaa')));
      expect(digests[1]).toBeUndefined();
      expect(await target.look([])).toEqual([]);
    });

    it('looks at more paths than one message holds, and keeps their order', async () => {
      const sources = Array.from(
        { length: 2500 },
        (_, i) => new MemorySource(`DC1/${i}`, Buffer.from(`${i}`)),
      );
      await Promise.all(
        [...sources.slice(0, 20), ...sources.slice(2400)].map((source) => target.put(source)),
      );
      const records = await target.look(sources.map(({ entry }) => entry.path));
      const absent = sources.filter((_, i) => records[i] === undefined);
      expect(absent).toEqual(sources.slice(20, 2400));
      expect(records[9]?.entry.path).toBe('DC1/9');
    });

    it('lists below a prefix only', async () => {
      for (const path of ['DC1/a', 'DC1/sub/b', 'DC10/c']) await target.put(folder.write(path, path));
      const listed: string[] = [];
      for await (const { path } of target.list(parseRelPath('DC1'))) listed.push(path);
      expect(listed.sort()).toEqual(['DC1/a', 'DC1/sub/b']);
    });

    it('seals with the marker as the last file, then the directory', async () => {
      const sources = Array.from({ length: 20 }, (_, i) => folder.write(`DC1/${i}`, `${i}`));
      await Promise.all(sources.map((source) => target.put(source)));
      const marker = folder.write('DC1/finished.parse', '');
      await target.seal(parseRelPath('DC1'), marker);
      expect(store.done.slice(-2)).toEqual([`put ${DEVICE}/DC1/finished.parse`, `sync ${DEVICE}/DC1`]);
      await target.seal(parseRelPath('DC1'), marker);
      await target.seal(parseRelPath('DC1'), undefined);
    });

    it('tells which store it is, and who confirmed each file', async () => {
      const identity = await target.identify();
      expect(identity.store).toBe((await store.identity()).id);
      expect(identity.listedMtime).toBe(store.capabilities.listedMtime);
      const small = await target.put(folder.write('DC1/a', 'a'));
      const large = await target.put(folder.write('DC1/b', noise(300_000)));
      await target.seal(parseRelPath('DC1'), undefined);
      expect(await target.identify()).toEqual(identity);
      expect([small.incarnation, large.incarnation]).toEqual([identity.incarnation, identity.incarnation]);
    });

    it('tells digests of the store that is asked for, and of no other', async () => {
      const content = noise(300_000);
      await target.put(folder.write('DC1/a', content));
      const paths = [parseRelPath('DC1/a'), parseRelPath('DC1/none')];
      const { store: id } = await target.identify();
      const asked = { digest: true, keptDigest: true };
      const [found, none] = await target.look(paths, { ...asked, store: id });
      expect([found?.digest, none]).toEqual([digestOf('xxh64', content), undefined]);
      await expect(target.look(paths, { ...asked, store: 'another' })).rejects.toMatchObject({
        code: 'OTHER_STORE',
      });
      // It takes the place of the first one while the files are read.
      store.identity = async () => ({ id: 'another' });
      await expect(target.look(paths, { ...asked, store: id })).rejects.toMatchObject({
        code: 'OTHER_STORE',
      });
    });

    it('tells another incarnation once a seal has found another store', async () => {
      const before = await target.put(folder.write('DC1/a', 'a'));
      store.identity = async () => ({ id: 'another' });
      await target.seal(parseRelPath('DC1'), undefined);
      const identity = await target.identify();
      expect(identity.store).toBe('another');
      expect(identity.incarnation).not.toBe(before.incarnation);
      const after = await target.put(folder.write('DC1/b', 'b'));
      expect(after.incarnation).toBe(identity.incarnation);
    });

    it('lets a caller take a file back', async () => {
      const hold = Promise.withResolvers<void>();
      store.before = () => hold.promise;
      const aborts = new AbortController();
      const put = target.put(folder.write('DC1/a', 'a'), { signal: aborts.signal });
      const large = target.put(folder.write('DC1/b', noise(5_000_000)), { signal: aborts.signal });
      const settled = Promise.allSettled([put, large]);
      aborts.abort(new Error('enough'));
      for (const outcome of await settled) expect(outcome).toMatchObject({ reason: { message: 'enough' } });
      hold.resolve();
      await target.put(folder.write('DC1/c', 'the next one goes on'));
      await expect(target.put(folder.source('DC1/c'), { signal: aborts.signal })).rejects.toThrow('enough');
    });

    it('rejects what is open, and what comes after, when it is disposed of', async () => {
      const hold = Promise.withResolvers<void>();
      store.before = () => hold.promise;
      const put = target.put(folder.write('DC1/a', 'a'));
      const disposed = target[Symbol.asyncDispose]();
      await expect(put).rejects.toMatchObject({ code: 'INTERRUPTED' });
      hold.resolve();
      await disposed;
      await target[Symbol.asyncDispose]();
      await expect(target.put(folder.source('DC1/a'))).rejects.toMatchObject({ code: 'INTERRUPTED' });
      await expect(target.identify()).rejects.toMatchObject({ code: 'INTERRUPTED' });
      await expect(target.seal(parseRelPath('DC1'), undefined)).rejects.toMatchObject({
        code: 'INTERRUPTED',
      });
    });
  });
}

function inStore(path: string): RelPath {
  return parseRelPath(`${DEVICE}/${path}`);
}
