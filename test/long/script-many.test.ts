import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, it } from 'vitest';
import { openFiles, scriptStage } from '../events/script-stage.ts';

/** Of all runs together, in bytes: 2 KiB that each leaves behind are seen. */
const MOST_GROWTH = 8 * 1024 * 1024;

/** What is in use of the heap, in bytes. */
function inUse(): number {
  setFlagsFromString('--expose-gc');
  runInNewContext('gc')();
  return process.memoryUsage().heapUsed;
}

it('five thousand scripts leave neither files open nor memory in use', async () => {
  const stage = scriptStage();
  const run = stage.script('cat > /dev/null');
  const runs = async (count: number) => {
    for (let left = count; left > 0; left -= 32) await Promise.all(Array.from({ length: 32 }, () => run()));
  };
  await runs(500);
  const [files, memory] = [openFiles(), inUse()];
  await runs(5000);
  await expect.poll(openFiles).toBeLessThanOrEqual(files);
  expect(inUse() - memory).toBeLessThan(MOST_GROWTH);
});
