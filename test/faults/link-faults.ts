import type { FaultyProxy } from '../../harness/faulty-proxy.ts';
import { BLOCK_MAGIC, headerOf } from './content.ts';
import type { Fault, Stage } from './fault.ts';
import type { Random } from '../../harness/random.ts';

type Mishap = (proxy: FaultyProxy, stage: Stage) => Promise<void>;

/** Of any link, by name. */
const MISHAPS: Readonly<Record<string, Mishap>> = {
  cut: async (proxy, { random, pause }) => {
    for (let times = random.int(1, 8); times > 0; times--) {
      proxy.cut();
      await pause(random.int(1, 400));
    }
  },
  'cut-after': async (proxy, { random, pause }) => {
    for (let times = random.int(1, 6); times > 0; times--) {
      // The handshake and the HELLO have some hundred bytes.
      proxy.cutAfter(random.int(1, random.pick([600, 20_000, 1_000_000])));
      await pause(random.int(10, 500));
    }
    proxy.cutAfter(Infinity);
  },
  delay: async (proxy, { random, pause }) => {
    proxy.delayMs = random.int(5, 400);
    await pause(random.int(500, 2500));
    proxy.delayMs = 0;
  },
  trickle: async (proxy, { random, pause }) => {
    proxy.bytesPerSecond = random.int(2_000, 200_000);
    await pause(random.int(500, 2500));
    proxy.bytesPerSecond = Infinity;
  },
  split: async (proxy, { random, pause }) => {
    const size = random.int(1, 40);
    // The rest in one: a write for each few bytes of megabytes would only take long.
    proxy.shape = (piece) => {
      const parts: Buffer[] = [];
      let at = 0;
      for (; at < piece.length && parts.length < 500; at += size) parts.push(piece.subarray(at, at + size));
      return [...parts, piece.subarray(at)].filter((part) => part.length > 0);
    };
    await pause(random.int(500, 2500));
    proxy.shape = undefined;
  },
  'half-open': async (proxy, { random, pause }) => {
    proxy.blackhole = true;
    await pause(random.int(100, 2000));
    // What has been swallowed is gone: no byte may pass on this connection any more.
    proxy.cut();
    proxy.blackhole = false;
  },
  'bytes-lost': async (proxy, { random, pause }) => {
    proxy.blackhole = true;
    await pause(random.int(5, 200));
    proxy.blackhole = false;
  },
  stalled: async (proxy, { random, pause }) => {
    proxy.stalled = true;
    await pause(random.int(200, 2500));
    proxy.stalled = false;
  },
  refused: async (proxy, { random, pause }) => {
    proxy.refuse = true;
    proxy.cut();
    await pause(random.int(100, 1500));
    proxy.refuse = false;
  },
  flip: async (proxy, { random, pause }) => {
    proxy.shape = (piece, to) => [to === 'receiver' && random.chance(0.2) ? flipped(piece, random) : piece];
    await pause(random.int(500, 2000));
    proxy.shape = undefined;
  },
};

/** What a sender's link to its receiver suffers. */
export const LINK_FAULTS: readonly Fault[] = Object.entries(MISHAPS).map(([name, mishap]) => ({
  name,
  needs: { link: true },
  async strike(stage) {
    if (stage.proxy !== undefined) await mishap(stage.proxy, stage);
  },
}));

/** What the way to a bucket suffers. Bytes are never lost amid a connection: HTTP has no way to tell. */
export const BUCKET_LINK_FAULTS: readonly Fault[] = Object.entries(MISHAPS)
  .filter(([name]) => name !== 'bytes-lost')
  .map(([name, mishap]) => ({
    name: `bucket-${name}`,
    needs: { bucket: 'link' },
    async strike(stage) {
      if (stage.bucketLink !== undefined) await mishap(stage.bucketLink, stage);
    },
  }));

/** One bit of a file's content another: names and ids are TLS's to protect, content has a digest. */
function flipped(piece: Buffer, random: Random): Buffer {
  const at = piece.indexOf(BLOCK_MAGIC);
  const header = at < 0 ? undefined : headerOf(piece.subarray(at));
  if (header === undefined || header.length === 0) return piece;
  const bytes = Buffer.from(piece);
  const from = at + header.headerBytes;
  const position = from + random.int(0, Math.min(header.length, bytes.length - from) - 1);
  if (position < bytes.length) bytes[position] = (bytes[position] ?? 0) ^ (1 << random.int(0, 7));
  return bytes;
}
