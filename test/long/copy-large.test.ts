import { randomBytes } from 'node:crypto';
import { expect, it } from 'vitest';
import { withS3Server } from '../../harness/s3-server.ts';
import { CopyStage } from '../events/copy-stage.ts';

const MIB = 1024 * 1024;
const BYTES = 200 * MIB + 12_345;
/** What four copies at once may add: the parts in memory, and as much again for what the network holds and nobody has freed. */
const MOST_ADDED_BYTES = 320 * MIB;

await withS3Server((server) => {
  it('large objects are copied in parts, a few at a time in memory', async () => {
    const stage = await CopyStage.start(server);
    const keys = ['a', 'b', 'c', 'd'];
    const body = randomBytes(BYTES);
    for (const key of keys) await stage.put(key, body);
    const worker = stage.open();
    const before = process.memoryUsage.rss();
    let most = 0;
    const timer = setInterval(() => (most = Math.max(most, process.memoryUsage.rss())), 50);
    const outcomes = await Promise.all(keys.map(async (key) => await worker.created(key, { size: BYTES })));
    clearInterval(timer);
    expect(outcomes).toEqual(keys.map(() => ({ outcome: 'written', bytes: BYTES })));
    expect(most - before).toBeLessThan(MOST_ADDED_BYTES);
    for (const key of keys)
      expect(await stage.digest(stage.to, key)).toBe(await stage.digest(stage.from, key));
    for (const key of keys) expect(await worker.created(key)).toEqual({ outcome: 'unchanged' });
    expect(await stage.uploads()).toEqual([]);
  });

  it('of versions that come faster than they can be copied, by three workers, the last one stands at the end', async () => {
    const stage = await CopyStage.start(server);
    const workers = [stage.open(), stage.open(), stage.open({ isOneServer: true })];
    const keys = Array.from({ length: 20 }, (_, index) => `k${index}`);
    const tasks: Promise<unknown>[] = [];
    for (let round = 0; round < 15; round++)
      await Promise.all(
        keys.map(async (key, index) => {
          const removes = (round + index) % 4 === 3;
          await (removes ? stage.delete(key) : stage.put(key, `${key} in round ${round}`));
          const worker = workers[(round * 7 + index) % workers.length]!;
          const act = async () =>
            await (removes ? worker.removed(key) : worker.created(key, { isLastLook: true }));
          tasks.push(act().catch(act).catch(act));
        }),
      );
    await Promise.all(tasks);
    const expected = new Map<string, string>();
    for (const key of keys) {
      const index = Number(key.slice(1));
      if ((14 + index) % 4 !== 3) expected.set(key, `${key} in round 14`);
    }
    expect(await stage.copies()).toEqual([...expected.keys()].toSorted());
    for (const [key, text] of expected) expect(await stage.text(key)).toBe(text);
  });
});
