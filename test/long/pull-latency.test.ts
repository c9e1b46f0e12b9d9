import { existsSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { startPullStage, type PullStage } from '../../harness/pull-stage.ts';
import { withS3Server } from '../../harness/s3-server.ts';
import { knowObjects } from './pull-known-objects.ts';

/** Objects that are known; what it is made for is a million, which takes a minute to fill in. */
const KNOWN = Number(process.env['ISYNC_TEST_PULL_KNOWN'] ?? 100_000);
const PUTS = 50;
/** Between puts, in ms: the machine has done with the one before. */
const PAUSE_MS = 50;
/** What half of the files may take on an idle machine, in ms. */
const P50_MS = 100;

await withS3Server((server) => {
  test(
    `from a PUT to the file it takes no longer beside ${KNOWN} known objects`,
    async () => {
      await using stage = await startPullStage(server);
      await stage.configure({ buckets: [stage.bucket], sync: { 'a/': 'a' } });
      const alone = await latency(stage, 'alone');
      await knowObjects(stage, KNOWN, 'without files');
      const beside = await latency(stage, 'beside');
      console.log(`p50 ${alone.toFixed(1)} ms, beside ${KNOWN} known objects ${beside.toFixed(1)} ms`);
      // A slow machine is as slow without them.
      expect(beside).toBeLessThan(Math.max(P50_MS, 2 * alone));
    },
    600_000 + KNOWN,
  );
});

/** What half of the files take, in ms: one at a time, through notification and queue. */
async function latency(stage: PullStage, name: string): Promise<number> {
  await using pull = stage.start();
  const took: number[] = [];
  // The first one waits for the start of the process.
  for (let index = 0; index <= PUTS; index++) {
    const began = performance.now();
    const put = stage.put(`a/${name}/f${index}`, 'content');
    await pull.until('the file', () => existsSync(stage.at(`a/${name}/f${index}`)));
    if (index > 0) took.push(performance.now() - began);
    await put;
    await delay(PAUSE_MS);
  }
  await pull.stop('SIGTERM');
  return took.toSorted((a, b) => a - b)[Math.floor(PUTS / 2)] ?? NaN;
}
