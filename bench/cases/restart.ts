import { lstatSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isMarked } from '../../src/scanner/is-marked.ts';
import type { Bench, BenchCase } from '../bench.ts';
import { inCaseFolder } from '../contest.ts';
import { startPair, type Pair } from '../pair.ts';
import { writeMarkedFiles } from '../marked-files.ts';
import { everywhere, type Place } from '../places.ts';
import { runProgram } from '../process.ts';
import { inTurns } from '../sample.ts';

const MARKED_FILES = 100_000;
const FILE_BYTES = 4096;
const GOAL_S = 1;
const PATIENCE_MS = 60_000;

/**
 * A scan starts over a directory that it had nearly done before. Measured from the start of its process until the new
 * file is marked, which comes after the acknowledgement that it is durable at the store.
 */
export const RESTART_CASES: readonly BenchCase[] = everywhere({
  name: 'restart',
  about: `a new file beside ${MARKED_FILES.toLocaleString('en')} transferred ones, from the start of scan on`,
  async run(bench, place) {
    bench.say(`  writing ${MARKED_FILES} marked files`);
    await inCaseFolder(place.folder, 'restart', async (folder) => await measureRestart(bench, place, folder));
  },
});

async function measureRestart(bench: Bench, place: Place, folder: string): Promise<void> {
  const directory = join(folder, 'root', 'DC1');
  await using pair = await startPair(folder);
  writeMarkedFiles(directory, join(pair.copy, 'DC1'), MARKED_FILES, FILE_BYTES);
  let count = 0;
  const started = (when: 'before' | 'after') => () => startedS(pair, join(directory, `new-${count++}`), when);
  const samples = await inTurns(bench.runs, { before: started('before'), after: started('after') });
  for (const [when, isync] of [
    ['lies there at the start', samples.before],
    ['is written right after the start', samples.after],
  ] as const)
    bench.report({
      case: place.caseName('restart'),
      measure: `${MARKED_FILES.toLocaleString('en')} marked files, one new ${when}, ${place.name}`,
      unit: 's',
      isync,
      others: {},
      goals: [{ text: `durable ≤ ${GOAL_S} s after the start`, met: isync.most <= GOAL_S }],
    });
}

async function startedS(pair: Pair, path: string, when: 'before' | 'after'): Promise<number> {
  // What was written before would be written during this run.
  await runProgram('sync', []);
  if (when === 'before') writeFileSync(path, Buffer.alloc(FILE_BYTES, 'n'));
  const start = performance.now();
  await using scan = pair.scan(join(path, '../..'));
  if (when === 'after') writeFileSync(path, Buffer.alloc(FILE_BYTES, 'n'));
  await scan.until('the new file to be marked', () => isMarked(lstatSync(path)), PATIENCE_MS);
  return (performance.now() - start) / 1000;
}
