import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { isFailure } from '../../harness/gaps.ts';
import type { Producer } from './producer.ts';
import { PRODUCERS } from './producers.ts';
import { runTrial } from './trial.ts';

/**
 * Real programs fill data directories while `isync scan`, with its default options, is killed again and again:
 *
 *     node test/producers/main.ts [--seed S] [--kills K] [--only NAME] [--jobs J]
 *
 * Whatever is sealed in the end must be at the target, byte for byte. Ends with the line `N passed, N failed, N skipped`, and
 * with exit code 1 when any failed.
 */
/** Lines shown of what went wrong with one producer; the log has all. */
const MAX_LINES = 12;

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    kills: { type: 'string', default: '20' },
    only: { type: 'string' },
    /** Producers at work at a time. */
    jobs: { type: 'string', default: '2' },
  },
});
const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 31));
const kills = Number(values.kills);
const { only } = values;
const chosen = PRODUCERS.filter(({ name }) => only === undefined || only === name);
if (chosen.length === 0)
  throw new Error(`no such producer: ${only}; known are ${PRODUCERS.map(({ name }) => name).join(', ')}`);

for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, () => process.exit(130));
const counts = { passed: 0, failed: 0, skipped: 0 };
say(`seed ${seed}`);
const queue = [...chosen];
await Promise.all(Array.from({ length: Number(values.jobs) }, work));
say('', `${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`);
process.exit(counts.failed > 0 ? 1 : 0);

async function work(): Promise<void> {
  for (let producer = queue.shift(); producer !== undefined; producer = queue.shift()) await tryOut(producer);
}

async function tryOut(producer: Producer): Promise<void> {
  const { name, tools } = producer;
  const missing = tools.filter((tool) => !isThere(tool));
  if (missing.length > 0) {
    const isOne = isFailure('tool');
    counts[isOne ? 'failed' : 'skipped']++;
    say(`${isOne ? 'FAILED' : 'SKIPPED on this machine:'} ${name}: not installed: ${missing.join(', ')}`);
    return;
  }
  const { broken, told, log } = await runTrial(producer, seed + PRODUCERS.indexOf(producer), kills);
  if (broken.length === 0) {
    counts.passed++;
    say(`ok    ${name}: ${told}`);
    return;
  }
  counts.failed++;
  const again = `node test/producers/main.ts --seed ${seed} --kills ${kills} --only ${name}`;
  const logFile = join(tmpdir(), `isync-producers-${name}-${seed}.log`);
  writeFileSync(logFile, [again, ...broken, log].join('\n'));
  const more = broken.length > MAX_LINES ? [`and ${broken.length - MAX_LINES} more`] : [];
  say(
    `FAILED ${name}: ${told}`,
    ...[...broken.slice(0, MAX_LINES), ...more].map((line) => `    ${line}`),
    `    log: ${logFile}`,
    `    again: ${again}`,
  );
}

function isThere(tool: string): boolean {
  return spawnSync('sh', ['-c', 'command -v "$0"', tool]).status === 0;
}

function say(...lines: readonly string[]): void {
  process.stdout.write(lines.map((line) => `${line}\n`).join(''));
}
