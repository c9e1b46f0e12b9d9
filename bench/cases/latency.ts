import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { until } from '../../harness/process.ts';
import type { Bench, BenchCase, Goal } from '../bench.ts';
import { inCaseFolder } from '../contest.ts';
import { startPair, type Pair } from '../pair.ts';
import { startLsyncd } from '../lsyncd.ts';
import { writeMarkedFiles } from '../marked-files.ts';
import { everywhere, type Place } from '../places.ts';
import { hasProgram } from '../process.ts';
import { quantile, sampleOf } from '../sample.ts';
import { latencies, type Latencies } from '../timeline.ts';

/** Files that lie in the active directory already, transferred. */
const BESIDE = [0, 10_000, 50_000];
const FILE_BYTES = 4096;
/** Files of each run: 6 s of a parser. */
const FILES = 300;
const DIRECTORY = 'DC1';
/** lsyncd with 50,000 files to look through. */
const PATIENCE_MS = 120_000;
/** Shortest that lsyncd waits; its default is 15. */
const LSYNCD_DELAY_S = 1;
/** --settle, by default. */
const SETTLE_MS = 250;

const MODES = [
  { complete: 'close-write', p50: 5, p99: 30 },
  { complete: 'settle', p50: SETTLE_MS + 20, p99: undefined },
] as const;

/**
 * From the parser's close to the file's appearance at the store. A parser of its own notes the time after each close, an
 * observer of its own sees the file appear by inotify. So what is told holds the observer's wake-up as well.
 */
export const LATENCY_CASES: readonly BenchCase[] = everywhere({
  name: 'latency',
  about: 'from close to published, beside 0, 10,000 and 50,000 transferred files',
  async run(bench, place) {
    for (const beside of BESIDE)
      await inCaseFolder(place.folder, `latency-${beside}`, async (folder) => {
        await measureLatency(bench, place, folder, beside);
      });
  },
});

async function measureLatency(bench: Bench, place: Place, folder: string, beside: number): Promise<void> {
  const root = join(folder, 'root');
  bench.say(`  beside ${beside} files`);
  await using pair = await startPair(folder);
  writeMarkedFiles(join(root, DIRECTORY), join(pair.copy, DIRECTORY), beside, FILE_BYTES);
  const lsyncd = (await hasProgram('lsyncd')) && (await hasProgram('rsync'));
  const found = new Map<string, Latencies[]>();
  const add = (name: string, run: Latencies) => found.set(name, [...(found.get(name) ?? []), run]);
  for (let run = 0; run < bench.runs; run++) {
    for (const { complete } of MODES) add(complete, await ofIsync(pair, root, complete));
    if (lsyncd) add('lsyncd', await ofLsyncd(folder, root));
  }
  const peer = found.get('lsyncd');
  for (const { complete, p50, p99 } of MODES) {
    const runs = found.get(complete) ?? [];
    const appeared = runs.flatMap((run) => run.appeared);
    bench.report({
      case: place.caseName('latency'),
      measure: `4 KiB each 20 ms beside ${beside.toLocaleString('en')} files, ${complete}, ${place.name}`,
      unit: 'ms',
      isync: sampleOf(appeared),
      others:
        peer === undefined
          ? {}
          : { [`lsyncd, delay ${LSYNCD_DELAY_S} s`]: sampleOf(peer.flatMap((run) => run.appeared)) },
      goals: [within(appeared, 0.5, p50), ...(p99 === undefined ? [] : [within(appeared, 0.99, p99)])],
      note: `acknowledged: ${percentiles(runs.flatMap((run) => run.marked))}; published: ${percentiles(appeared)}`,
    });
  }
}

async function ofIsync(pair: Pair, root: string, complete: string): Promise<Latencies> {
  const source = join(root, DIRECTORY);
  const copy = join(pair.copy, DIRECTORY);
  await using scan = pair.scan(root, ['--complete', complete]);
  // Only after its start is done is it live, and there is a folder at the store to look at.
  const first = `first-${Date.now()}`;
  writeFileSync(join(source, first), '');
  await scan.until('the first file', () => existsSync(join(copy, first)), PATIENCE_MS);
  return await latencies({ source, copy, marks: true }, FILES);
}

async function ofLsyncd(folder: string, root: string): Promise<Latencies> {
  const copy = join(folder, 'lsyncd');
  const source = join(root, DIRECTORY);
  await using stack = new AsyncDisposableStack();
  stack.use(await startLsyncd(folder, root, copy, LSYNCD_DELAY_S));
  const all = readdirSync(source).length;
  const arrived = () => existsSync(join(copy, DIRECTORY)) && readdirSync(join(copy, DIRECTORY)).length >= all;
  await until('lsyncd to have copied what was there', arrived, PATIENCE_MS);
  // Now it looks for events.
  const first = `first-${Date.now()}`;
  writeFileSync(join(source, first), '');
  await until('the first file', () => existsSync(join(copy, DIRECTORY, first)), PATIENCE_MS);
  return await latencies({ source, copy: join(copy, DIRECTORY), marks: false }, FILES);
}

function within(values: readonly number[], q: number, goalMs: number): Goal {
  const found = percentile(values, q);
  return { text: `p${q * 100} ≤ ${goalMs} ms: ${found.toFixed(1)}`, met: found <= goalMs };
}

function percentiles(values: readonly number[]): string {
  return [0.5, 0.99].map((q) => `p${q * 100} ${percentile(values, q).toFixed(1)} ms`).join(', ');
}

function percentile(values: readonly number[], q: number): number {
  return quantile(
    values.toSorted((a, b) => a - b),
    q,
  );
}
