import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { runCli } from '../../harness/cli.ts';
import { startNode } from '../../harness/process.ts';
import type { Bench, BenchCase } from '../bench.ts';
import { inCaseFolder } from '../contest.ts';
import { startPair, type Pair } from '../pair.ts';
import { fineCpuOf } from '../process.ts';
import { inTurns } from '../sample.ts';

/** Fewer runs tell little of something that takes a tenth of a second. */
const LEAST_RUNS = 10;
/** Runs before, which fill the caches of the disk and of compiled code. */
const WARM_UP_RUNS = 2;
const GOAL_MS = 150;
const GOAL_CPU_S = 0.15;

/** From the start of the process to its end, as a shell sees it, beside a Node that does nothing. */
const startup: BenchCase = {
  name: 'startup',
  about: 'how long `isync --version` and `isync scan --help` take',
  async run(bench: Bench) {
    const measures = {
      version: () => wallMs(async () => await runCli(['--version'])),
      help: () => wallMs(async () => await runCli(['scan', '--help'])),
      node: () => wallMs(async () => await startNode(['--eval', '0']).ended),
    };
    await inTurns(WARM_UP_RUNS, measures);
    const { version, help, node } = await inTurns(Math.max(bench.runs, LEAST_RUNS), measures);
    for (const [measure, isync] of [
      ['isync --version', version],
      ['isync scan --help', help],
    ] as const)
      bench.report({
        case: 'startup',
        measure,
        unit: 'ms',
        isync,
        others: { 'node -e 0': node },
        goals: [{ text: `≤ ${GOAL_MS} ms`, met: isync.median <= GOAL_MS }],
      });
  },
};

/** What `isync scan` takes before it can send anything. */
const connecting: BenchCase = {
  name: 'connecting',
  about: 'CPU of `isync scan` from its start until it is connected',
  async run(bench: Bench) {
    await inCaseFolder(bench.disk, 'connecting', async (folder) => {
      const root = join(folder, 'root');
      await mkdir(root);
      await using pair = await startPair(folder);
      const measures = { scan: async () => await cpuUntilConnected(pair, root) };
      await inTurns(WARM_UP_RUNS, measures);
      const { scan: isync } = await inTurns(Math.max(bench.runs, LEAST_RUNS), measures);
      bench.report({
        case: 'connecting',
        measure: 'CPU of `isync scan` until it is connected',
        unit: 's',
        isync,
        others: {},
        goals: [{ text: `≤ ${GOAL_CPU_S} s of CPU`, met: isync.median <= GOAL_CPU_S }],
      });
    });
  },
};

/** In seconds; with what it does, having nothing to send, until it is looked at: a little too much. */
async function cpuUntilConnected(pair: Pair, root: string): Promise<number> {
  await using scan = pair.scan(root);
  await scan.until('the link', () => (scan.stdout + scan.stderr).includes('"connected"'));
  return fineCpuOf(scan.pid);
}

async function wallMs(run: () => Promise<{ readonly exitCode: number | null }>): Promise<number> {
  const start = performance.now();
  const { exitCode } = await run();
  const took = performance.now() - start;
  if (exitCode !== 0) throw new Error(`ended with ${exitCode}`);
  return took;
}

export const STARTUP_CASES: readonly BenchCase[] = [startup, connecting];
