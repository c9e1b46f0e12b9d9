import { describe, expect, it } from 'vitest';
import { listAll, putBytes } from './files.ts';
import { type Subject } from './subject.ts';

export function identitySuite(subject: Subject): void {
  const idOf = async () => (await subject.store.identity()).id;

  describe('identity', () => {
    it('is the same each time the store is asked or opened', async () => {
      const id = await idOf();
      expect(id).toMatch(/^[0-9a-f]{32}$/);
      expect(await idOf()).toBe(id);
      await subject.reopen();
      expect(await idOf()).toBe(id);
    });

    it('is told the same by all that open the store at once', async () => {
      const others = await Promise.all([subject.open(), subject.open(), subject.open()]);
      const first = await Promise.all([subject.store, ...others].map((store) => store.identity()));
      // Where a server knows no conditions, the last one put is what all read from then on.
      const ids = await Promise.all([subject.store, ...others].map((store) => store.identity()));
      expect(new Set(ids.map(({ id }) => id)).size).toBe(1);
      expect(first.every(({ id }) => id !== undefined)).toBe(true);
      for (const other of others) await other[Symbol.asyncDispose]();
    });

    it('is another one when the store was emptied below a running process', async () => {
      await putBytes(subject.store, 'a', 'a');
      const id = await idOf();
      await subject.empty();
      const other = await idOf();
      expect(other).toMatch(/^[0-9a-f]{32}$/);
      expect(other).not.toBe(id);
      expect(await idOf()).toBe(other);
      await putBytes(subject.store, 'b', 'b');
      expect(await idOf()).toBe(other);
    });

    it('is no file of the store', async () => {
      await idOf();
      expect(await listAll(subject.store)).toEqual([]);
    });

    it('gives up with the reason of the signal, and when the store is closed', async () => {
      const signal = AbortSignal.abort(new Error('no longer wanted'));
      await expect(subject.store.identity({ signal })).rejects.toThrow('no longer wanted');
      await subject.store[Symbol.asyncDispose]();
      await expect(subject.store.identity()).rejects.toMatchObject({ code: 'BUSY', retryable: true });
    });
  });
}
