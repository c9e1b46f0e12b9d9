import { join } from 'node:path';
import { expect, test } from 'vitest';
import { MAX_MEMORY_BYTES } from '../../harness/backlog.ts';
import { writeSparse } from '../../harness/data-tree.ts';
import { startStage, untilSealed } from '../../harness/stage.ts';
import { startWire } from './wire.ts';

const MIB = 1024 * 1024;
/** Size of the file; set it to 10 GiB for a run by hand. */
const BIG_BYTES = Number(process.env['ISYNC_TEST_BIG_BYTES'] ?? 400 * MIB);
/** Both sides are killed when so much of the file has crossed the wire. */
const KILLS_AT = [0.3, 0.65];
/** What may be sent twice because of each: what filled the buffers of both kernels. */
const MAX_TWICE = 0.05;
/** Time for 1 GiB on a slow disk, in ms. */
const PATIENCE_MS_PER_GIB = 120_000;

test(
  'a big file goes on where it was when both sides were killed',
  { timeout: 240_000 + (BIG_BYTES / 1024 / MIB) * PATIENCE_MS_PER_GIB },
  async () => {
    await using stage = await startStage();
    await using wire = await startWire(stage.receiver.port);
    const edge = await stage.edge('edge1');
    await edge.write({ 'DC1/finished.parse': '' });
    await writeSparse(join(edge.root, 'DC1/big.bin'), BIG_BYTES);

    const memory = { scan: 0, receive: 0 };
    let daemon = edge.daemon([], { to: wire.url });
    const measure = (): void => {
      memory.scan = Math.max(memory.scan, daemon.peakMemory());
      memory.receive = Math.max(memory.receive, stage.receiver.process.peakMemory());
    };
    for (const part of KILLS_AT) {
      await daemon.until(`${part * 100} % to be sent`, () => wire.sent() >= part * BIG_BYTES);
      measure();
      await Promise.all([daemon.kill(), stage.receiver.process.kill()]);
      expect(edge.has('DC1/big.bin')).toBe(false);
      await stage.restartReceiver();
      daemon = edge.daemon([], { to: wire.url });
    }
    await using last = daemon;
    await untilSealed(edge, ['DC1'], last);
    measure();

    expect(await edge.differences()).toEqual([]);
    expect(wire.sent()).toBeGreaterThan(BIG_BYTES);
    expect(wire.sent()).toBeLessThan(BIG_BYTES * (1 + MAX_TWICE * KILLS_AT.length));
    expect(memory.scan).toBeGreaterThan(0);
    expect(memory.scan).toBeLessThan(MAX_MEMORY_BYTES);
    expect(memory.receive).toBeLessThan(MAX_MEMORY_BYTES);
  },
);
