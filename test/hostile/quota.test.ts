import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { digestOf } from '../../src/model/digest.ts';
import { parseRelPath } from '../../src/model/rel-path.ts';
import { withQuota } from '../../src/store/rules/quota-store.ts';
import { createMemoryContents, createMemoryStore } from '../../src/store/memory/memory-store.ts';
import type { Store } from '../../src/store/store.ts';

const contents = createMemoryContents();
const inner = createMemoryStore(contents);
let store: Store;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['performance'] });
  contents.files.clear();
  store = withQuota(inner, 1000);
});
afterEach(() => {
  vi.useRealTimers();
});

let mtimeUs = 0;

/** Each time another version: a shorter one of the same time would be refused as damaged. */
async function put(path: string, size: number): Promise<void> {
  mtimeUs += 1000;
  const bytes = Buffer.alloc(size);
  const digest = { algorithm: 'xxh64', value: digestOf('xxh64', bytes) } as const;
  await store.put({ path: parseRelPath(path), size, mtimeUs }, bytes, digest);
}

const FULL = { code: 'STORE_FULL', retryable: true };

describe('a quota', () => {
  it('counts what a device had before', async () => {
    await put('d/DC1/a', 600);
    store = withQuota(inner, 1000);
    await expect(put('d/DC1/b', 600)).rejects.toMatchObject(FULL);
    await put('d/DC1/b', 400);
    await put('e/DC1/b', 1000);
  });

  it('holds for files put at once', async () => {
    const results = await Promise.allSettled([1, 2, 3, 4].map((n) => put(`d/DC1/${n}`, 400)));
    expect(results.map(({ status }) => status).toSorted()).toEqual([
      'fulfilled',
      'fulfilled',
      'rejected',
      'rejected',
    ]);
  });

  it('gives the room of what was not kept back', async () => {
    const file = { path: parseRelPath('d/DC1/a'), size: 900, mtimeUs: 0 };
    const upload = await store.begin(file, { algorithm: 'xxh64', resume: false });
    await expect(put('d/DC1/b', 200)).rejects.toMatchObject(FULL);
    await upload.write(Buffer.alloc(900));
    await expect(upload.commit(Buffer.alloc(8))).rejects.toMatchObject({ code: 'DIGEST_MISMATCH' });
    await put('d/DC1/b', 1000);
    await put('d/DC1/b', 10);
    await put('d/DC1/c', 990);
  });

  it('finds room that was made by hand, though not at once', async () => {
    await put('d/DC1/a', 900);
    contents.files.clear();
    await expect(put('d/DC1/b', 900)).rejects.toMatchObject(FULL);
    vi.advanceTimersByTime(61_000);
    await put('d/DC1/b', 900);
  });

  it('learns in time what came through another receiver of the same store', async () => {
    store = withQuota(inner, 1000, { recountMs: 3_600_000 });
    const other = withQuota(inner, 1000);
    await put('d/DC1/a', 100);
    const bytes = Buffer.alloc(600);
    const digest = { algorithm: 'xxh64', value: digestOf('xxh64', bytes) } as const;
    await other.put({ path: parseRelPath('d/DC1/b'), size: 600, mtimeUs: 0 }, bytes, digest);
    vi.advanceTimersByTime(3_600_000);
    await expect(put('d/DC1/c', 400)).rejects.toMatchObject(FULL);
    await put('d/DC1/c', 300);
  });

  it('refuses for good what could never fit', async () => {
    await expect(put('d/DC1/a', 1001)).rejects.toMatchObject({ code: 'FILE_TOO_LARGE', retryable: false });
  });

  it('counts again after a count that failed', async () => {
    const list = vi.spyOn(inner, 'list').mockImplementationOnce(() => {
      throw new Error('no listing now');
    });
    await expect(put('d/DC1/a', 1)).rejects.toThrow('no listing now');
    await put('d/DC1/a', 1);
    expect(list).toHaveBeenCalledTimes(2);
    list.mockRestore();
  });
});
