import { writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { temporaryFolder } from '../../harness/data-tree.ts';
import { type Gap, isFailure } from '../../harness/gaps.ts';
import { Random } from '../../harness/random.ts';
import { impossible } from '../powercut/loop-disk.ts';
import { CutDevice } from './cut-round.ts';
import { killRound, lastRound, type Round } from './kill-round.ts';
import { World } from './world.ts';

/**
 * `isync expire` is killed again and again, and power is cut, while its target is swapped, emptied, cut short, rotten or away by turns:
 *
 *     node test/expire/main.ts [--kills N] [--cuts N] [--seed S]
 *
 * No file may be gone from the device that is not equal at the target. Ends with the line `N passed, N failed, N skipped`, and
 * with exit code 1 when any failed. Power cuts need root and loop devices.
 */
/** Lines shown of what is wrong after one round; the log has all. */
const MAX_LINES = 8;

const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '30' },
    cuts: { type: 'string', default: '10' },
    seed: { type: 'string' },
  },
});
const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 31));
const [kills, cuts] = [Number(values.kills), Number(values.cuts)];
for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, () => process.exit(130));
say(`seed ${seed}`);
const counts = { passed: 0, failed: 0, skipped: 0 };
const random = new Random(seed);
await using folder = await temporaryFolder('expire');
await killAll(random.fork());
if (cuts > 0) await cutAll(random.fork());
if (counts.failed > 0) say(`again: node test/expire/main.ts --seed ${seed} --kills ${kills} --cuts ${cuts}`);
say('', `${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`);
process.exit(counts.failed > 0 ? 1 : 0);

/** Rounds count that were really killed. */
async function killAll(random: Random): Promise<void> {
  const world = new World(join(folder.path, 'root'), join(folder.path, 'store'), random.fork());
  for (let killed = 0; killed < kills;) {
    const round = await killRound(world, random);
    if (round.killed) killed++;
    tell(`kill ${killed}`, round);
  }
  const wrong = await lastRound(world);
  tell('the last run', { wrong, told: `${world.goneFiles} files gone in all`, log: '', killed: false });
}

async function cutAll(random: Random): Promise<void> {
  const why = impossible();
  if (why !== undefined) return leaveOut('power cuts', why);
  using device = new CutDevice(folder.path, random.fork());
  for (let cut = 1; cut <= cuts; cut++) tell(`cut ${cut}`, await device.round());
}

function tell(name: string, { wrong, told, log }: Round): void {
  if (wrong.length === 0) {
    counts.passed++;
    return say(`ok    ${name}: ${told}`);
  }
  counts.failed++;
  const logFile = join(tmpdir(), `isync-expire-${seed}-${name.replaceAll(' ', '-')}.log`);
  writeFileSync(logFile, [...wrong, '=== log', log].join('\n'));
  const more = wrong.length > MAX_LINES ? [`and ${wrong.length - MAX_LINES} more`] : [];
  const lines = [...wrong.slice(0, MAX_LINES), ...more].map((line) => `    ${line}`);
  say(`FAILED ${name}: ${told}`, ...lines, `    log: ${logFile}`);
}

function leaveOut(name: string, { kind, why }: Gap): void {
  const isOne = isFailure(kind);
  counts[isOne ? 'failed' : 'skipped']++;
  say(`${isOne ? 'FAILED' : 'SKIPPED on this machine:'} ${name}: ${why}`);
}

function say(...lines: readonly string[]): void {
  process.stdout.write(lines.map((line) => `${line}\n`).join(''));
}
