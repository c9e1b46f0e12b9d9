import { closeSync, mkdirSync, openSync, readdirSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { stopScan } from '../../harness/cli.ts';
import { startStage, untilSealed } from '../../harness/stage.ts';

/** Names are counted no more often than this, in ms: each count reads the whole folder. */
const COUNT_MS = 2_000;
/** What a watch holds for each file shows here: 1 KB of it would be 100 MB. */
const FILES = 100_000;
const MAX_SCAN_BYTES = 200_000_000;
const PATIENCE_MS = 500_000;
/** The start of a process on a busy machine; where the watch looks at each file first it takes longer. */
const FIRST_MS = 10_000;

test('an active directory of many files costs neither time nor memory by their number', async () => {
  await using stage = await startStage();
  const edge = await stage.edge('edge1');
  mkdirSync(join(edge.root, 'DC1'));
  for (let index = 0; index < FILES; index++) {
    const file = openSync(join(edge.root, 'DC1', `file-${index}`), 'w', 0o644);
    writeSync(file, String(index));
    closeSync(file);
  }
  const start = performance.now();
  await using daemon = edge.daemon();
  await daemon.until('a first file', () => edge.has('DC1'), PATIENCE_MS);
  expect(performance.now() - start).toBeLessThan(FIRST_MS);
  // Stays active while all of it is sent: what closes it comes last.
  await daemon.until('all files', () => countIn(join(edge.copy, 'DC1')) === FILES, PATIENCE_MS);
  await edge.write({ 'DC1/finished.parse': '' });
  await untilSealed(edge, ['DC1'], daemon, PATIENCE_MS);
  expect(daemon.peakMemory()).toBeLessThan(MAX_SCAN_BYTES);
  const { summary } = await stopScan(daemon);
  expect(summary).toMatchObject({ files: FILES, problemCount: 0 });
});

let countedAtMs = -Infinity;

function countIn(folder: string): number {
  if (performance.now() - countedAtMs < COUNT_MS) return 0;
  countedAtMs = performance.now();
  return readdirSync(folder).length;
}
