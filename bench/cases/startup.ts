import { runCli } from '../../harness/cli.ts';
import { startNode } from '../../harness/process.ts';
import type { Bench, BenchCase } from '../bench.ts';
import { inTurns } from '../sample.ts';

/** Fewer runs tell little of something that takes a tenth of a second. */
const LEAST_RUNS = 10;
/** Runs before, which fill the caches of the disk and of compiled code. */
const WARM_UP_RUNS = 2;
const GOAL_MS = 150;

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

async function wallMs(run: () => Promise<{ readonly exitCode: number | null }>): Promise<number> {
  const start = performance.now();
  const { exitCode } = await run();
  const took = performance.now() - start;
  if (exitCode !== 0) throw new Error(`ended with ${exitCode}`);
  return took;
}

export const STARTUP_CASES: readonly BenchCase[] = [startup];
