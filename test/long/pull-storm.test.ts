import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { GetObjectCommand } from '@aws-sdk/client-s3';
import { expect, test } from 'vitest';
import { filesBelow } from '../../harness/data-tree.ts';
import { startNode, type CliProcess } from '../../harness/process.ts';
import { failureOf, startPullStage, type PullStage } from '../../harness/pull-stage.ts';
import { Random } from '../../harness/random.ts';
import { keysBelow } from '../../harness/s3-objects.ts';
import { withS3Server } from '../../harness/s3-server.ts';
import { selfTold } from '../../harness/self-told.ts';
import type { Seen } from './pull-reader.ts';

/** Puts, overwrites and deletes; what it must stand is 10,000, which takes minutes. */
const CHANGES = Number(process.env['ISYNC_TEST_PULL_CHANGES'] ?? 2_000);
const SEED = Number(process.env['ISYNC_TEST_PULL_SEED'] ?? 20_261_126);
/** In ms: a busy machine takes 50 ms a change. */
const STORM_MS = 300 * CHANGES;
const KILLS = 20;
/** The lives in whose middle the queue is cut off. */
const CUTS: ReadonlySet<number> = new Set([5, 13]);
/** Changes under way at a time. */
const AT_ONCE = 16;
/** Changes of which one is of an object above 64 MiB. */
const LARGE_EVERY = 3_000;
const LARGE_BYTES = 66 * 1024 ** 2;
const READER = fileURLToPath(new URL('pull-reader.ts', import.meta.url));
/** One prefix lies inside another one. */
const SYNC: Readonly<Record<string, string>> = { 'a/': 'a', 'a/deep/': 'deep', 'c c/': 'c' };
const PREFIXES = Object.keys(SYNC);

await withS3Server((server) => {
  test(
    `${CHANGES} changes in disorder, ${KILLS} kills and a queue that goes away leave just what the bucket has`,
    async () => {
      const unrest = { seed: SEED, shuffled: 50, doubled: 0.1, withheld: 0.01 };
      // What a killed process had in hand comes again after so long.
      await using stage = await startPullStage(server, { unrest, attributes: { VisibilityTimeout: '3' } });
      await stage.configure({ sync: SYNC });
      await using reader = startNode([READER, ...Object.values(SYNC).map((folder) => stage.at(folder))]);
      await reader.until('the reader to look', () => reader.stdout.includes('ready'));

      const changing = change(stage);
      let changed = false;
      void changing.then(() => (changed = true)).catch(() => {});
      for (let life = 0; life < KILLS; life++) {
        await using pull = stage.start();
        const before = stage.acknowledged();
        const share = (CHANGES / KILLS) * 0.9;
        if (CUTS.has(life)) await cutOff(stage, pull);
        await pull.until(
          `life ${life + 1} to have done its share`,
          async () => stage.acknowledged() - before >= share || (changed && (await stage.isDrained())),
        );
        await pull.kill();
      }
      await changing;
      await using pull = stage.start();
      const polls = () => stage.proxy.callsOf('ReceiveMessage').length;
      const before = polls();
      await pull.until('the queue to be empty', async () => polls() > before && (await stage.isDrained()));
      expect((await pull.stop('SIGTERM')).exitCode).toBe(0);
      expect(stage.bridge.told).toBe(CHANGES);

      // Nothing is wrong but what nobody was told.
      const different = await differences(stage);
      expect(different.filter((key) => !stage.bridge.withheld.has(key))).toEqual([]);
      const mended = await stage.once(['--resync']);
      expect(failureOf(mended)).toBe('');
      expect(mended.summary['differences']).toBe(different.length);
      expect(await differences(stage)).toEqual([]);
      expect((await stage.parked('list')).stdout.trim()).toBe('');

      const { stdout, exitCode } = await reader.stop('SIGTERM');
      const seen = JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as Seen;
      expect({ exitCode, faults: seen.faults }).toEqual({ exitCode: 0, faults: [] });
      expect(seen.versions).toBeGreaterThan(CHANGES / 20);
      console.log(
        `${stage.bridge.withheld.size} withheld, ${different.length} mended, ${seen.versions} versions seen`,
      );
    },
    STORM_MS,
  );

  /** Puts, overwrites and deletes by chance; a few keys at the hottest, the many seldom. */
  async function change({ put, remove }: PullStage): Promise<void> {
    const random = new Random(SEED);
    let left = CHANGES;
    const work = async (): Promise<void> => {
      while (left > 0) {
        const number = left--;
        const key = keyBy(random);
        const size = random.chance(0.02) ? random.int(0, 300_000) : random.int(0, 6_000);
        if (number % LARGE_EVERY === 1) await put(`${random.pick(PREFIXES)}large`, selfTold(LARGE_BYTES));
        else if (random.chance(0.3)) await remove(key);
        else await put(key, selfTold(size));
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
  }

  function keyBy(random: Random): string {
    const index = Math.floor(random.below(CHANGES / 2) * (random.chance(0.8) ? 1 : 0.02));
    return `${PREFIXES[index % PREFIXES.length]}f ${index % 17}/é+%41 ${index}.txt`;
  }

  async function cutOff({ proxy }: PullStage, pull: CliProcess): Promise<void> {
    const calls = () => proxy.calls.length;
    await pull.until('the queue to be asked', () => proxy.callsOf('DeleteMessageBatch').length > 0);
    const before = calls();
    proxy.fault = () => 'cut';
    proxy.cut();
    await pull.until('many tries', () => calls() > before + 30);
    expect(pull.over).toBe(false);
    proxy.fault = undefined;
  }

  /** Keys whose file is not what the bucket has. */
  async function differences({ bucket, folder }: PullStage): Promise<string[]> {
    const found: string[] = [];
    const here = new Map<string, string>();
    for (const [prefix, below] of Object.entries(SYNC))
      for (const path of (await filesBelow(join(folder, below))).keys())
        if (!path.startsWith('.isync/')) here.set(prefix + path, join(folder, below, path));
    const left = await keysBelow(server, bucket);
    const compare = async (): Promise<void> => {
      for (let key = left.pop(); key !== undefined; key = left.pop()) {
        const path = here.get(key);
        here.delete(key);
        const { Body } = await server.client.send(new GetObjectCommand({ Bucket: bucket, Key: key }));
        const bytes = (await Body?.transformToByteArray()) ?? new Uint8Array();
        if (path === undefined || digestOf(readFileSync(path)) !== digestOf(bytes)) found.push(key);
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, compare));
    return [...found, ...here.keys()].sort();
  }
});

function digestOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
