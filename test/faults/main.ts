import { performance } from 'node:perf_hooks';
import { inspect } from 'node:util';
import { BUCKET_FAULTS } from './bucket-trouble.ts';
import { DISK_FAULTS } from './disk-faults.ts';
import type { Fault } from './fault.ts';
import { BUCKET_LINK_FAULTS, LINK_FAULTS } from './link-faults.ts';
import { readOptions } from './options.ts';
import { PROCESS_FAULTS } from './process-faults.ts';
import { Report } from './report.ts';
import { runRound } from './round.ts';
import { SCENARIOS } from './scenarios.ts';
import { TARGETS } from './targets.ts';

/**
 * Tries to break isync's promises with real processes, real sockets and real disks, in rounds that a seed repeats:
 *
 *     node test/faults/main.ts [--seed S] [--rounds N] [--minutes M] [--parallel N] [--only FAULT|SCENARIO]
 *         [--rounds-only] [--keep]
 *
 * Ends with the line `N passed, N failed, N skipped`, and with exit code 1 when any failed.
 */
const options = readOptions(process.argv.slice(2));
const report = new Report();
const all: readonly Fault[] = [
  ...PROCESS_FAULTS,
  ...LINK_FAULTS,
  ...DISK_FAULTS,
  ...BUCKET_FAULTS,
  ...BUCKET_LINK_FAULTS,
];
const { only } = options;
const faults = only === undefined ? all : all.filter((fault) => fault.name === only);
const scenarios = SCENARIOS.filter(({ name }) => only === undefined || only === name);
if (faults.length === 0 && scenarios.length === 0)
  throw new Error(
    `no such fault: ${only}; known are ${[...all, ...SCENARIOS].map(({ name }) => name).join(', ')}`,
  );

// Each process that runs has one.
process.setMaxListeners(0);
for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, () => process.exit(130));
process.stdout.write(`seed ${options.seed}\n`);
// One round asked for is one seen before.
const played = !options.roundsOnly && (options.rounds !== 1 || faults.length === 0) ? scenarios : [];
const targets = TARGETS.map(({ name, impossible }) => ({ name, impossible: impossible?.() }));
report.leftOut([...faults, ...targets, ...played]);
const deadline = performance.now() + options.minutes * 60_000;
for (const { name, run, impossible } of played)
  if (impossible === undefined)
    await run().then(
      (outcome) => report.scenarioKept(name, outcome),
      (thrown: unknown) => report.scenarioBroken(name, inspect(thrown)),
    );
let begun = 0;
const play = async (): Promise<void> => {
  while (begun < options.rounds && faults.length > 0 && performance.now() < deadline)
    report.round(await runRound(options.seed + begun++, faults, options.keep), only);
};
await Promise.all(Array.from({ length: options.parallel }, play));
report.end();
process.exit(report.failed > 0 ? 1 : 0);
