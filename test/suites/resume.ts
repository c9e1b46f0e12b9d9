import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { MAX_MEMORY_BYTES } from '../../harness/backlog.ts';
import { writeSparse } from '../../harness/data-tree.ts';
import { startStage, untilSealed } from '../../harness/stage.ts';
import { startWire } from '../e2e/wire.ts';

const MIB = 1024 * 1024;
/** Both sides are killed when so much of the file has crossed the wire. */
const KILLS_AT = [0.3, 0.65];
/** What may be sent twice because of each, in bytes: what a slow receiver has left in its own buffers and those of the system. */
const MAX_TWICE_BYTES = 8 * MIB + mostBuffered('tcp_wmem') + mostBuffered('tcp_rmem');
/** Time for 1 GiB on a slow disk, in ms. */
const PATIENCE_MS_PER_GIB = 120_000;

/** To what the system lets one side of a connection grow, in bytes. */
function mostBuffered(setting: string): number {
  return Number(readFileSync(`/proc/sys/net/ipv4/${setting}`, 'utf8').trim().split(/\s+/).at(-1));
}

/** A big file of `bytes` bytes, and a device and a receiver that are killed in its midst. */
export function resumeTest(bytes: number): void {
  const timeout = 240_000 + (bytes / 1024 / MIB) * PATIENCE_MS_PER_GIB;
  test('a big file goes on where it was when both sides were killed', { timeout }, async () => {
    await using stage = await startStage();
    await using wire = await startWire(stage.receiver.port);
    const edge = await stage.edge('edge1');
    await edge.write({ 'DC1/finished.parse': '' });
    await writeSparse(join(edge.root, 'DC1/big.bin'), bytes);

    const memory = { scan: 0, receive: 0 };
    let daemon = edge.daemon([], { to: wire.url });
    const measure = (): void => {
      memory.scan = Math.max(memory.scan, daemon.peakMemory());
      memory.receive = Math.max(memory.receive, stage.receiver.process.peakMemory());
    };
    for (const part of KILLS_AT) {
      await daemon.until(`${part * 100} % to be sent`, () => wire.sent() >= part * bytes);
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
    expect(wire.sent()).toBeGreaterThan(bytes);
    expect(wire.sent()).toBeLessThan(bytes + MAX_TWICE_BYTES * KILLS_AT.length);
    expect(memory.scan).toBeGreaterThan(0);
    expect(memory.scan).toBeLessThan(MAX_MEMORY_BYTES);
    expect(memory.receive).toBeLessThan(MAX_MEMORY_BYTES);
  });
}
