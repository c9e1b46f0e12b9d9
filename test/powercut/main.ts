import { writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { available } from '../faults/machine.ts';
import { type Gap, isFailure } from '../../harness/gaps.ts';
import { Random } from '../../harness/random.ts';
import { temporaryFolder } from '../../harness/data-tree.ts';
import { startDevice } from './device.ts';
import { impossible } from './loop-disk.ts';

/**
 * Cuts the power of a device while files are written, sent and marked, and starts it again with what its disk held:
 *
 *     node test/powercut/main.ts [--cuts N] [--seed S]
 *
 * Then no good copy at the target may have been replaced by a worse one, and all that was marked must be there, whole. Ends
 * with the line `N passed, N failed, N skipped`, and with exit code 1 when any failed. Needs root and loop devices.
 */
/** Time at work before the first cut, and between two, in ms. */
const FIRST_MS = 1500;
const AT_WORK_MS = { low: 200, high: 2500 };
/** Lines shown of what is wrong after one cut; the log has all. */
const MAX_LINES = 8;

const { values } = parseArgs({
  options: { cuts: { type: 'string', default: '10' }, seed: { type: 'string' } },
});
const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 31));
const cuts = Number(values.cuts);
for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, () => process.exit(130));
say(`seed ${seed}`);
let [passed, failed, skipped] = [0, 0, 0];
const why = impossible();
if (why === undefined) await cutAll();
else leaveOut('a power cut', why);
say('', `${passed} passed, ${failed} failed, ${skipped} skipped`);
process.exit(failed > 0 ? 1 : 0);

async function cutAll(): Promise<void> {
  const noPython = available('python3');
  if (noPython !== undefined) leaveOut('memory maps', noPython);
  const random = new Random(seed);
  await using folder = await temporaryFolder('powercut');
  using device = await startDevice(folder.path, random.fork());
  await sleep(FIRST_MS);
  for (let cut = 1; cut <= cuts; cut++) {
    await sleep(random.int(AT_WORK_MS.low, AT_WORK_MS.high));
    const { wrong, told, log } = await device.cut();
    if (wrong.length === 0) {
      passed++;
      say(`ok    cut ${cut}: ${told}`);
      continue;
    }
    failed++;
    const logFile = join(tmpdir(), `isync-powercut-${seed}-${cut}.log`);
    writeFileSync(logFile, [...wrong, '=== scan after the cut', log, device.log].join('\n'));
    const more = wrong.length > MAX_LINES ? [`and ${wrong.length - MAX_LINES} more`] : [];
    const lines = [...wrong.slice(0, MAX_LINES), ...more].map((line) => `    ${line}`);
    say(`FAILED cut ${cut}: ${told}`, ...lines, `    log: ${logFile}`);
  }
  say(`files shared one sync ${device.sharedSyncs} times`);
  if (failed > 0) say(`again: node test/powercut/main.ts --seed ${seed} --cuts ${cuts}`);
}

function leaveOut(name: string, { kind, why }: Gap): void {
  const isOne = isFailure(kind);
  if (isOne) failed++;
  else skipped++;
  say(`${isOne ? 'FAILED' : 'SKIPPED on this machine:'} ${name}: ${why}`);
}

function say(...lines: readonly string[]): void {
  process.stdout.write(lines.map((line) => `${line}\n`).join(''));
}
