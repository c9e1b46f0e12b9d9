import { beforeEach, describe, expect, it, vi } from 'vitest';
import { digestOf } from '../../src/model/digest.ts';
import { MAX_CHUNK_BYTES, MAX_INLINE_BYTES } from '../../src/protocol/limits.ts';
import type { SenderMessage } from '../../src/protocol/messages.ts';
import { allDay } from '../../src/flow/bandwidth.ts';
import { createRateLimiter } from '../../src/flow/rate-limiter.ts';
import { createMemoryStore } from '../../src/store/memory/memory-store.ts';
import { faultyProxy } from '../../harness/faulty-proxy.ts';
import { DEVICE } from '../suites/target.ts';
import { acknowledge, type FakeSession } from './fake-receiver.ts';
import { unpack } from '../../src/protocol/packing.ts';
import { QUICK, receive, scripted, send, usingForTest } from './receiver-fixture.ts';
import { noise, SourceFolder, telemetry } from './source-folder.ts';
import { digestIn } from '../suites/store/files.ts';

let folder: SourceFolder;

beforeEach(() => {
  folder = usingForTest(new SourceFolder());
});

const MIB = 1024 * 1024;
const SIZES = [0, 1, 4096, MAX_INLINE_BYTES, MAX_INLINE_BYTES + 1, 3 * MAX_CHUNK_BYTES + 1, 5 * MIB];

/** A sender with compression over a link that counts, and the store that it fills. */
async function linked() {
  const store = createMemoryStore();
  const receiver = usingForTest(await receive(store));
  const proxy = usingForTest(await faultyProxy(receiver.port));
  const target = usingForTest(send(proxy.url, QUICK, { compress: true }));
  const expectKept = async (path: string, content: Buffer) =>
    expect(await digestIn(store, `${DEVICE}/${path}`)).toEqual(digestOf('xxh64', content));
  return { proxy, store, target, expectKept };
}

describe('compression on the wire', () => {
  it('has more files under way, for they fill the link less', async () => {
    const { target } = await linked();
    const plain = usingForTest(send('ws://127.0.0.1:9', QUICK));
    expect(plain.traits).toMatchObject({ device: DEVICE, digest: 'xxh64', filesInFlight: 512 });
    expect(target.traits.filesInFlight).toBe(2048);
  });

  it('brings text in a fraction of its bytes, with the digests of the plain content', async () => {
    const { proxy, target, expectKept } = await linked();
    const contents = SIZES.map((size) => telemetry(size, size));
    const receipts = await Promise.all(
      contents.map((content, i) => target.put(folder.write(`DC1/${i}`, content))),
    );
    for (const [i, content] of contents.entries()) {
      await expectKept(`DC1/${i}`, content);
      expect(receipts[i]).toMatchObject({ digest: digestOf('xxh64', content), sentBytes: content.length });
    }
    const plain = contents.reduce((sum, { length }) => sum + length, 0);
    expect(proxy.bytesUp).toBeLessThan(plain / 4);
  });

  it('brings what does not compress as it is, and hardly longer', async () => {
    const { proxy, target, expectKept } = await linked();
    const contents = SIZES.map((size) => noise(size, size));
    await Promise.all(contents.map((content, i) => target.put(folder.write(`DC1/${i}`, content))));
    for (const [i, content] of contents.entries()) await expectKept(`DC1/${i}`, content);
    const plain = contents.reduce((sum, { length }) => sum + length, 0);
    expect(proxy.bytesUp).toBeGreaterThan(plain);
    expect(proxy.bytesUp).toBeLessThan(plain * 1.01 + 10_000);
  });

  it('packs the text of a file that begins with something else', async () => {
    const { proxy, target, expectKept } = await linked();
    const content = Buffer.concat([noise(2 * MIB), telemetry(12 * MIB)]);
    await target.put(folder.write('DC1/mixed', content));
    await expectKept('DC1/mixed', content);
    expect(proxy.bytesUp).toBeLessThan(9 * MIB);
  });

  it('goes on with a file where it was when the link broke, many times', async () => {
    const { proxy, store, target, expectKept } = await linked();
    const resumes: number[] = [];
    const begin = store.begin.bind(store);
    vi.spyOn(store, 'begin').mockImplementation(async (...args) => {
      const upload = await begin(...args);
      resumes.push(upload.offset);
      return upload;
    });
    const content = telemetry(24 * MIB);
    let [cuts, sinceCut] = [0, 0];
    proxy.shape = (piece, to) => {
      if (to === 'receiver') sinceCut += piece.length;
      if (cuts === 3 || sinceCut < 300_000) return [piece];
      [cuts, sinceCut] = [cuts + 1, 0];
      proxy.cut();
      return [];
    };
    const put = target.put(folder.write('DC1/log', content));
    await put;
    await expectKept('DC1/log', content);
    expect(proxy.bytesUp).toBeLessThan(content.length / 2);
    expect(cuts).toBe(3);
    expect(resumes.length).toBeGreaterThan(3);
    expect(resumes.at(-1)).toBeGreaterThan(MIB);
  });

  it('counts bytes on the wire against the rate limit', async () => {
    const spent: number[] = [];
    const real = createRateLimiter(() => allDay(100 * MIB));
    const limiter = {
      ...real,
      quantumBytes: MIB,
      ready: async () => {},
      spend: (n: number) => spent.push(n),
    };
    const store = createMemoryStore();
    const receiver = usingForTest(await receive(store));
    const proxy = usingForTest(await faultyProxy(receiver.port));
    const target = usingForTest(send(proxy.url, QUICK, { compress: true, limiter }));
    const files = ['a', 'b'].map((name, i) =>
      folder.write(`DC1/${name}`, telemetry(i === 0 ? 50_000 : 3 * MIB)),
    );
    await Promise.all(files.map((file) => target.put(file)));
    const sum = spent.reduce((total, bytes) => total + bytes, 0);
    expect(sum).toBeLessThan(MIB);
    // The rest is the upgrade, HELLO, OPEN, END and WebSocket headers.
    expect(proxy.bytesUp - sum).toBeGreaterThan(0);
    expect(proxy.bytesUp - sum).toBeLessThan(2000);
  });
});

/** ACKs also what comes packed. */
function acknowledgePacked(session: FakeSession, message: SenderMessage): void {
  acknowledge(session, message.type === 'packed' ? unpack(message, 'xxh64') : message);
}

describe('a sender that may compress', () => {
  it('does so only with a receiver that says it takes that, and tells once where it does not', async () => {
    const onUncompressed = vi.fn<() => void>();
    const { receiver, target } = await scripted({ message: acknowledge }, QUICK, {
      compress: true,
      onUncompressed,
    });
    await target.put(folder.write('DC1/a', telemetry(1000)));
    receiver.sessions[0]?.socket.terminate();
    await target.put(folder.write('DC1/b', telemetry(300_000)));
    expect(receiver.sessions.length).toBeGreaterThan(1);
    expect(receiver.heard.some(({ type }) => type === 'packed')).toBe(false);
    expect(onUncompressed).toHaveBeenCalledTimes(1);
  });

  it('is content with a receiver of which one of many ways is ours', async () => {
    const onUncompressed = vi.fn<() => void>();
    const script = { message: acknowledgePacked, compression: ['newer', 'zstd'] };
    const { receiver, target } = await scripted(script, QUICK, { compress: true, onUncompressed });
    await target.put(folder.write('DC1/a', telemetry(1000)));
    await target.put(folder.write('DC1/b', telemetry(300_000)));
    const types = receiver.heard.map(({ type }) => type);
    expect(types).not.toContain('files');
    expect(types).not.toContain('chunk');
    expect(types).toContain('packed');
    expect(onUncompressed).not.toHaveBeenCalled();
  });

  it('does not unless it is told to', async () => {
    const { receiver, target } = await scripted({ message: acknowledgePacked, compression: ['zstd'] });
    await target.put(folder.write('DC1/a', telemetry(100_000)));
    expect(receiver.heard.some(({ type }) => type === 'packed')).toBe(false);
  });
});
