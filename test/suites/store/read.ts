import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { sameVersion } from '../../../src/model/file-entry.ts';
import { parseRelPath } from '../../../src/model/rel-path.ts';
import { codeOf, contentIn, joined, putBytes } from './files.ts';
import { type Subject } from './subject.ts';

export function readSuite(subject: Subject): void {
  describe('read', () => {
    /** More than a store reads at a time. */
    const content = randomBytes(3_000_000);
    const later = randomBytes(3_000_000);

    it.each([0, 1, 1000, 2_999_999, 3_000_000, 3_000_001])(
      'gives the bytes from %i on, and the version that they are of',
      async (start) => {
        const file = await putBytes(subject.store, 'd/f', content);
        const found = await subject.store.read(file.path, { start });
        expect(sameVersion(found!.entry, file)).toBe(true);
        expect(found!.entry.path).toBe(file.path);
        expect((await joined(found!.bytes)).equals(content.subarray(start))).toBe(true);
      },
    );

    it.each([
      [0, 0],
      [0, 1000],
      [0, 3_000_000],
      [0, 4_000_000],
      [999_999, 1_000_001],
      [2_999_999, 10],
      [3_000_000, 10],
      [3_000_001, 10],
    ])('gives from %i on at most the %i bytes that are wanted', async (start, length) => {
      const file = await putBytes(subject.store, 'd/f', content);
      const found = await subject.store.read(file.path, { start, length });
      expect(sameVersion(found!.entry, file)).toBe(true);
      const wanted = content.subarray(start, start + length);
      expect((await joined(found!.bytes)).equals(wanted)).toBe(true);
    });

    it('gives nothing of what is not there, however little is wanted', async () => {
      for (const length of [0, 1])
        expect(await subject.store.read(parseRelPath('d/none'), { length })).toBeUndefined();
    });

    it('tells no later version of the same size and mtime for the same', async () => {
      const { path } = await putBytes(subject.store, 'd/f', 'earlier');
      const earlier = await subject.store.read(path);
      expect((await subject.store.read(path))!.version).toBe(earlier!.version);
      await putBytes(subject.store, 'd/f', 'laterly');
      const later = await subject.store.read(path);
      expect(sameVersion(later!.entry, earlier!.entry)).toBe(true);
      expect(later!.version === undefined || later!.version !== earlier!.version).toBe(true);
    });

    it('gives an empty file', async () => {
      await putBytes(subject.store, 'd/f', '');
      expect(await contentIn(subject.store, 'd/f')).toEqual(Buffer.alloc(0));
    });

    it('tells what is no file as such', async () => {
      await putBytes(subject.store, 'd/f', 'x');
      for (const path of ['d', 'd/g', 'd/f/below', 'none/at/all', '.isync', '.isync/store-id'])
        expect(await subject.store.read(parseRelPath(path))).toBeUndefined();
    });

    it('gives pieces that belong to the caller', async () => {
      await putBytes(subject.store, 'd/f', content);
      const { bytes } = (await subject.store.read(parseRelPath('d/f')))!;
      for await (const piece of bytes) piece.fill(0);
      expect((await contentIn(subject.store, 'd/f'))!.equals(content)).toBe(true);
    });

    it.each([
      ['before the bytes are asked for', 'replaced', false],
      ['while they are read', 'replaced', true],
      ['before the bytes are asked for', 'removed', false],
      ['while they are read', 'removed', true],
    ])('gives one version or none: %s it is %s', async (_, change, isBegun) => {
      const file = await putBytes(subject.store, 'd/f', content);
      const { bytes } = (await subject.store.read(file.path))!;
      const iterator = bytes[Symbol.asyncIterator]();
      const pieces = isBegun ? [(await iterator.next()).value as Uint8Array] : [];
      if (change === 'removed') await subject.store.remove(file.path);
      else await putBytes(subject.store, 'd/f', later);
      const rest = joined({ [Symbol.asyncIterator]: () => iterator });
      const outcome = await rest.then((bytes) => Buffer.concat([...pieces, bytes]).equals(content), codeOf);
      expect([true, 'FILE_CHANGED']).toContain(outcome);
    });

    it('may be left early, as often as one likes', async () => {
      await putBytes(subject.store, 'd/f', content);
      for (let i = 0; i < 40; i++) {
        const { bytes } = (await subject.store.read(parseRelPath('d/f')))!;
        // Every other one is never begun.
        if (i % 2 === 0) for await (const piece of bytes) if (piece.length > 0) break;
      }
      expect((await contentIn(subject.store, 'd/f'))!.equals(content)).toBe(true);
    });

    it('gives up with the reason of the signal, and when the store is closed', async () => {
      await putBytes(subject.store, 'd/f', content);
      const reason = new Error('no longer wanted');
      const stop = new AbortController();
      const { bytes } = (await subject.store.read(parseRelPath('d/f'), { signal: stop.signal }))!;
      const stopped = bytes[Symbol.asyncIterator]();
      await stopped.next();
      stop.abort(reason);
      await expect(stopped.next()).rejects.toBe(reason);
      const late = (await subject.store.read(parseRelPath('d/f')))!;
      await subject.store[Symbol.asyncDispose]();
      await expect(joined(late.bytes)).rejects.toMatchObject({ code: 'BUSY', retryable: true });
    });
  });
}
