import { beforeEach, describe, expect, it, vi } from 'vitest';
import { digestOf } from '../../src/model/digest.ts';
import { parseRelPath } from '../../src/model/rel-path.ts';
import type { RetryPolicy } from '../../src/flow/retry.ts';
import type { WsTargetOptions } from '../../src/sender/ws/ws-target-options.ts';
import { createMemoryContents, createMemoryStore } from '../../src/store/memory/memory-store.ts';
import { faultyProxy, type FaultyProxy } from '../../harness/faulty-proxy.ts';
import { MemorySource } from './memory-source.ts';
import { PATIENT, QUICK, receive, send, usingForTest } from './receiver-fixture.ts';
import { recordingStore, type RecordingStore } from './recording-store.ts';
import { noise } from './source-folder.ts';
import { digestIn } from '../suites/store/files.ts';

const KIB = 1024;
const MIB = 1024 * KIB;

describe('ws target on a bad link', () => {
  let store: RecordingStore;
  let proxy: FaultyProxy;

  beforeEach(async () => {
    store = usingForTest(recordingStore(createMemoryStore()));
    const receiver = usingForTest(await receive(store));
    proxy = usingForTest(await faultyProxy(receiver.port));
  });

  const sender = (retry: RetryPolicy = QUICK, options: Partial<WsTargetOptions> = {}) =>
    usingForTest(send(proxy.url, retry, options));

  const stored = (path: string) => digestIn(store, `edge1/${path}`);

  it('keeps every file when the link is cut again and again, and sends few twice', async () => {
    const target = sender();
    const files = small(600, 20 * KIB);
    for (const bytes of [10, 3 * MIB, 100_000, 4 * MIB, 1]) {
      proxy.cutAfter(bytes);
      const some = files.splice(0, 100);
      await Promise.all(some.map((file) => target.put(file)));
      for (const file of some) expect(await stored(file.entry.path)).toEqual(digestOf('xxh64', file.content));
    }
    const receipts = await Promise.all(files.map((file) => target.put(file)));
    for (const { sentBytes } of receipts) expect(sentBytes).toBe(20 * KIB);
    expect(store.done.length).toBeLessThan(1200);
  });

  it('goes on with a large file where it was cut, sending less than 5 % of it twice', async () => {
    const target = sender();
    const file = new MemorySource('DC1/large', noise(64 * MIB));
    proxy.cutAfter(48 * MIB);
    const { sentBytes } = await target.put(file);
    expect(proxy.connections).toBe(2);
    expect(await stored('DC1/large')).toEqual(digestOf('xxh64', file.content));
    // Nothing that the first link passed on is sent again, but for what it held at its end.
    expect(proxy.bytesUp).toBeLessThan(file.content.length * 1.05);
    expect(sentBytes).toBeGreaterThanOrEqual(file.content.length);
  });

  it('does not read again what was acknowledged', async () => {
    const target = sender();
    const before = small(50, KIB);
    await Promise.all(before.map((file) => target.put(file)));
    proxy.cut();
    await target.put(new MemorySource('DC1/after', noise(KIB)));
    expect(proxy.connections).toBe(2);
    for (const file of before) expect(file.readBytes).toBe(KIB);
  });

  it('outlives a restart of the receiver, also with uploads under way', async () => {
    const contents = createMemoryContents();
    const first = await receive(createMemoryStore(contents));
    proxy.target = first.port;
    const target = sender();
    const large = new MemorySource('DC1/large', noise(40 * MIB));
    const puts = [target.put(large), ...small(50, KIB).map((file) => target.put(file))];
    await vi.waitFor(() => expect(proxy.bytesUp).toBeGreaterThan(10 * MIB), { interval: 1, timeout: 60_000 });
    await first[Symbol.asyncDispose]();
    const second = usingForTest(await receive(usingForTest(createMemoryStore(contents))));
    proxy.target = second.port;
    await Promise.all(puts);
    expect(contents.files.size).toBe(51);
    expect(digestOf('xxh64', contents.files.get(parseRelPath('edge1/DC1/large'))!.bytes)).toEqual(
      digestOf('xxh64', large.content),
    );
  });

  it('waits for a receiver that is not there yet', async () => {
    proxy.refuse = true;
    const target = sender();
    const put = target.put(new MemorySource('DC1/a', noise(KIB)));
    await vi.waitFor(() => expect(proxy.connections).toBeGreaterThan(2), 60_000);
    proxy.refuse = false;
    await put;
  });

  it('notices a link that is half open, and makes another', async () => {
    const lost: (string | undefined)[] = [];
    const target = sender(QUICK, {
      deadlines: { keepaliveMs: 20, silenceMs: 100, welcomeMs: 100 },
      onLink: (state, error) => state === 'lost' && lost.push(error?.message),
    });
    await target.put(new MemorySource('DC1/a', noise(KIB)));
    proxy.blackhole = true;
    const put = target.put(new MemorySource('DC1/b', noise(KIB)));
    await vi.waitFor(() => expect(lost[0]).toMatch(/nothing was heard/), 60_000);
    proxy.blackhole = false;
    proxy.cut();
    await put;
  });

  it('holds little in memory while the receiver does not read', async () => {
    const target = sender(PATIENT);
    await target.put(new MemorySource('DC1/first', noise(KIB)));
    proxy.stalled = true;
    const content = noise(64 * KIB);
    const files = Array.from({ length: 1000 }, (_, i) => new MemorySource(`DC1/${i}`, content));
    const larger = noise(3 * MIB);
    files.push(...Array.from({ length: 6 }, (_, i) => new MemorySource(`DC2/${i}`, larger)));
    const puts = files.map((file) => target.put(file));
    const readBytes = () => files.reduce((sum, file) => sum + file.readBytes, 0);
    let before = -1;
    await vi.waitFor(
      () => {
        const now = readBytes();
        const still = now === before && now > 0;
        before = now;
        expect(still).toBe(true);
      },
      { interval: 100, timeout: 60_000 },
    );
    // What was read is in the kernel's buffers, or ours: 1 MiB, a message, and a chunk of each upload.
    expect(readBytes()).toBeLessThan(24 * MIB);
    proxy.stalled = false;
    await Promise.all(puts);
  });

  it('is not slowed by a long way: no round trip per file', async () => {
    proxy.delayMs = 30;
    const target = sender();
    const began = performance.now();
    await Promise.all(small(2000, 100).map((file) => target.put(file)));
    expect(performance.now() - began).toBeLessThan(2000 * 30);
    expect(store.done).toHaveLength(2000);
  });

  it('keeps within small limits, whatever is sent together', async () => {
    const receiver = usingForTest(
      await receive(store, { limits: { filesInFlight: 3, openUploads: 2, requests: 1 } }),
    );
    proxy.target = receiver.port;
    const target = sender(PATIENT);
    const large = Array.from({ length: 20 }, (_, i) => new MemorySource(`DC2/${i}`, noise(70 * KIB, i)));
    const puts = [...small(100, KIB), ...large].map((file, i) =>
      target.put(file, { priority: i % 3 === 0 ? 'live' : 'backlog' }),
    );
    const looks = Array.from({ length: 20 }, () => target.look([parseRelPath('DC1/0')]));
    await Promise.all([...puts, ...looks]);
    expect(store.done).toHaveLength(120);
    expect(proxy.connections).toBe(1);
  });

  it('gives way to a newer sender of the same device', async () => {
    const older = sender({ ...QUICK, giveUpAfterMs: 60_000 });
    await older.put(new MemorySource('DC1/a', noise(KIB)));
    const newer = usingForTest(send(proxy.url, QUICK));
    await newer.put(new MemorySource('DC1/b', noise(KIB)));
    await expect(older.put(new MemorySource('DC1/c', noise(KIB)))).rejects.toMatchObject({ code: 'FENCED' });
  });

  it('reads beside a writer without fencing it', async () => {
    const writer = sender();
    await writer.put(new MemorySource('DC1/a', noise(KIB)));
    const reader = usingForTest(send(proxy.url, QUICK, { mode: 'read' }));
    const [record] = await reader.look([parseRelPath('DC1/a')]);
    expect(record?.entry.size).toBe(KIB);
    await writer.put(new MemorySource('DC1/b', noise(KIB)));
    expect(proxy.connections).toBe(2);
  });
});

function small(count: number, size: number): MemorySource[] {
  return Array.from({ length: count }, (_, i) => new MemorySource(`DC1/${i}`, noise(size, i)));
}
