import { beforeEach, describe, expect, it, vi } from 'vitest';
import { IsyncError } from '../../src/model/isync-error.ts';
import { parseRelPath } from '../../src/model/rel-path.ts';
import { createStoreTarget, type StoreTargetOptions } from '../../src/sender/store-target/store-target.ts';
import { allDay } from '../../src/flow/bandwidth.ts';
import { createRateLimiter } from '../../src/flow/rate-limiter.ts';
import { createMemoryContents, createMemoryStore } from '../../src/store/memory/memory-store.ts';
import { MemorySource } from './memory-source.ts';
import { QUICK, usingForTest } from './receiver-fixture.ts';
import { recordingStore, type RecordingStore } from './recording-store.ts';
import { noise } from './source-folder.ts';

const MIB = 1024 * 1024;

describe('a local target', () => {
  let store: RecordingStore;

  beforeEach(() => {
    store = usingForTest(recordingStore(createMemoryStore()));
  });

  const over = (options: Partial<StoreTargetOptions> = {}) =>
    usingForTest(createStoreTarget(store, { device: 'edge1', digest: 'xxh64', retry: QUICK, ...options }));

  it('keeps files below the folder of the device', async () => {
    await over().put(new MemorySource('DC1/a', noise(10)));
    expect(store.done).toEqual(['put edge1/DC1/a']);
  });

  it('refuses a device that is no folder name', () => {
    expect(() => over({ device: '../edge2' })).toThrow(
      expect.objectContaining({ code: 'BAD_PATH' }) as Error,
    );
  });

  it('rejects everything once another process has taken over', async () => {
    const hold = Promise.withResolvers<void>();
    store.before = () => hold.promise;
    const fenced = Promise.withResolvers<IsyncError>();
    const target = over({ fenced: fenced.promise });
    const put = target.put(new MemorySource('DC1/a', noise(10)));
    const reason = new IsyncError('FENCED', 'another one');
    fenced.resolve(reason);
    await expect(put).rejects.toBe(reason);
    expect(await target.refused).toBe(reason);
    await expect(target.put(new MemorySource('DC1/b', noise(10)))).rejects.toBe(reason);
    await expect(target.identify()).rejects.toBe(reason);
    hold.resolve();
  });

  it('waits while the store is full, asking with one file at a time', async () => {
    let full = true;
    let asking = 0;
    let most = 0;
    let refusals = 0;
    store.before = async () => {
      if (!full) return;
      most = Math.max(most, ++asking);
      await new Promise(setImmediate);
      asking--;
      refusals++;
      throw new IsyncError('STORE_FULL', 'no space', { retryable: true });
    };
    const target = over();
    const first = target.put(new MemorySource('DC1/first', noise(10)));
    await vi.waitFor(() => expect(refusals).toBeGreaterThan(0), { interval: 1, timeout: 60_000 });
    most = 0;
    const rest = Array.from({ length: 50 }, (_, i) => target.put(new MemorySource(`DC1/${i}`, noise(10))));
    const seen = refusals;
    await vi.waitFor(() => expect(refusals).toBeGreaterThan(seen + 4), { interval: 1, timeout: 60_000 });
    expect(most).toBe(1);
    full = false;
    await Promise.all([first, ...rest]);
  });

  it('gives up on a full store with STORE_FULL', async () => {
    store.before = () => {
      throw new IsyncError('STORE_FULL', 'no space');
    };
    const target = over({ retry: { ...QUICK, giveUpAfterMs: 20 } });
    await expect(target.put(new MemorySource('DC1/a', noise(10)))).rejects.toMatchObject({
      code: 'STORE_FULL',
    });
  });

  it.each([10, 300_000])('tries a file of %i bytes again where that may help, and no other', async (size) => {
    let failures = 3;
    store.before = (path) => {
      if (path.endsWith('/a') && failures-- > 0)
        throw new IsyncError('STORE_FAILED', 'I/O error', { retryable: true });
      if (path.endsWith('/b')) throw new IsyncError('IMMUTABLE', 'kept already');
    };
    const target = over();
    const a = target.put(new MemorySource('DC1/a', noise(size)));
    await expect(target.put(new MemorySource('DC1/b', noise(size)))).rejects.toMatchObject({
      code: 'IMMUTABLE',
    });
    expect((await a).digest).toHaveLength(8);
  });

  it('tries a seal again where that may help', async () => {
    let failures = 2;
    const sync = store.sync.bind(store);
    store.sync = async (directory) => {
      if (failures-- > 0) throw new IsyncError('STORE_FAILED', 'I/O error', { retryable: true });
      await sync(directory);
    };
    await over().seal(parseRelPath('DC1'), undefined);
    expect(store.done).toEqual(['sync edge1/DC1']);
  });

  it('goes on with a large file where an earlier process was stopped', async () => {
    const contents = createMemoryContents();
    const content = noise(30 * MIB);
    const slow = createStoreTarget(createMemoryStore(contents), {
      device: 'edge1',
      digest: 'xxh64',
      retry: QUICK,
      limiter: createRateLimiter(() => allDay(50 * MIB)),
    });
    const source = new MemorySource('DC1/a', content);
    const put = slow.put(source);
    await vi.waitFor(() => expect(source.readBytes).toBeGreaterThan(10 * MIB), {
      interval: 1,
      timeout: 60_000,
    });
    await slow[Symbol.asyncDispose]();
    await expect(put).rejects.toMatchObject({ code: 'INTERRUPTED' });
    const again = createStoreTarget(createMemoryStore(contents), {
      device: 'edge1',
      digest: 'xxh64',
      retry: QUICK,
    });
    const { sentBytes } = await usingForTest(again).put(source);
    expect(sentBytes).toBeLessThan(22 * MIB);
    expect(contents.files.get(parseRelPath('edge1/DC1/a'))?.bytes.length).toBe(30 * MIB);
  });

  it('ends with the reason of its signal', async () => {
    const aborts = new AbortController();
    store.before = () => new Promise((resolve) => aborts.signal.addEventListener('abort', () => resolve()));
    const target = over({ signal: aborts.signal });
    const put = target.put(new MemorySource('DC1/a', noise(10)));
    aborts.abort(new Error('second Ctrl-C'));
    await expect(put).rejects.toThrow('second Ctrl-C');
    await expect(target.look([parseRelPath('DC1/a')])).rejects.toThrow('second Ctrl-C');
  });
});
