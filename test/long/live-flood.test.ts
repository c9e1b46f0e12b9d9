import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { stopScan } from '../../harness/cli.ts';
import { MAX_MEMORY_BYTES } from '../../harness/backlog.ts';
import { startStage, untilSealed } from '../../harness/stage.ts';

/** More than the queues of inotify and of isync hold, so that events are lost. */
const FILES = 50_000;
const PATIENCE_MS = 300_000;
/** Mostly garbage that V8 has not collected yet: some 80 MB live through a collection. */
const MAX_FLOODED_BYTES = 400_000_000;

test('a flood of files in the active directory of a running daemon loses none', async () => {
  await using stage = await startStage();
  const edge = await stage.edge('edge1');
  await edge.write({ 'DC1/first': 10 });
  await using daemon = edge.daemon();
  await daemon.until('the first file', () => edge.has('DC1/first'));
  mkdirSync(join(edge.root, 'DC1/sub'));
  for (let index = 0; index < FILES; index++)
    writeFileSync(
      join(edge.root, index % 2 === 0 ? `DC1/f${index}` : `DC1/sub/f${index}`),
      `content ${index}`,
    );
  await edge.write({ 'DC1/finished.parse': '' });
  await untilSealed(edge, ['DC1'], daemon, PATIENCE_MS);
  expect(await edge.differences()).toEqual([]);
  expect(daemon.peakMemory()).toBeLessThan(MAX_FLOODED_BYTES);
  expect(stage.receiver.process.peakMemory()).toBeLessThan(MAX_MEMORY_BYTES);
  const { summary } = await stopScan(daemon);
  expect(summary).toMatchObject({ problemCount: 0 });
});
