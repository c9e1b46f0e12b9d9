import { randomBytes } from 'node:crypto';
import { readdirSync, statSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { hashToken } from '../../src/access/tokens.ts';
import { formatTokenFile } from '../../src/access/token-entries.ts';
import { startReceiver } from '../../harness/cli.ts';
import type { CliProcess } from '../../harness/process.ts';
import type { Bench, BenchCase } from '../bench.ts';
import { rawDisk } from '../competitors.ts';
import { inCaseFolder } from '../contest.ts';
import { KIB, MIB, equalSizes } from '../data.ts';
import { memoryOf } from '../memory.ts';
import { everywhere, type Place } from '../places.ts';
import { cpuOf, startOwn } from '../process.ts';
import { quantile, sampleOf } from '../sample.ts';

const DEVICES = 1000;
/** Processes that play them: one can't keep up with the receiver. */
const PROCESSES = 2;
const FILE_BYTES = 16 * KIB;
/** A file a second. */
const FILES = 60;
const SECONDS_MORE = 60;

const GOAL_P99_MS = 500;
const GOAL_MEMORY_MIB = 512;
/** Between the two quarters of the second half, more than this is growth, in percent. */
const GOAL_GROWTH_PERCENT = 5;
const SAMPLE_MS = 1000;
/** Files of the raw writer, to know what the disk would take. */
const RAW_FILES = 5000;
const RAW_AT_ONCE = 16;

/**
 * A thousand devices with a link each, all of them the real sender's. The receiver has its defaults, but for
 * `--max-connections`, whose default is for one site.
 */
export const FLEET_CASES: readonly BenchCase[] = everywhere({
  name: 'fleet',
  about: `${DEVICES} devices, each a file of 16 KiB a second for ${FILES} s, to one receiver`,
  async run(bench: Bench, place: Place) {
    await inCaseFolder(place.folder, 'fleet', async (folder) => {
      for (let run = 0; run < bench.runs; run++) await measure(bench, place, join(folder, String(run)));
    });
  },
});

interface Answers {
  readonly acknowledgedMs: readonly number[];
  readonly failed: number;
  readonly unanswered: number;
}

async function measure(bench: Bench, place: Place, folder: string): Promise<void> {
  const [store, rawStore] = [join(folder, 'store'), join(folder, 'raw')];
  await mkdir(store, { recursive: true });
  await mkdir(rawStore);
  const raw = await rawDisk(folder, RAW_AT_ONCE).run(
    { root: folder, sizes: equalSizes(RAW_FILES, FILE_BYTES), bytes: RAW_FILES * FILE_BYTES },
    rawStore,
  );
  const tokens = join(folder, 'tokens.json');
  const groups = await writeTokens(folder, tokens);
  await using receiver = await startReceiver(store, {
    args: ['--tokens', tokens, '--max-connections', String(DEVICES + 100), '--log-level', 'warn'],
  });
  await using stack = new AsyncDisposableStack();
  const started = groups.map((group) =>
    stack.use(startOwn('devices', [receiver.url, group, FILES, FILE_BYTES])),
  );
  for (const devices of started)
    await devices.until('all devices to be connected', () => devices.stdout.includes('ready\n'));
  const { pid } = receiver.process;
  const cpuBefore = cpuOf(pid);
  const memory = await followMemory(pid, started);
  const answers = await Promise.all(started.map(answersOf));
  const acknowledged = answers.flatMap(({ acknowledgedMs }) => acknowledgedMs);
  const missing = DEVICES * FILES - keptFiles(store);
  const unanswered = DEVICES * FILES - acknowledged.length;
  const p99 = quantile(
    acknowledged.toSorted((a, b) => a - b),
    0.99,
  );
  const measure = `${DEVICES.toLocaleString('en')} devices, each 16 KiB a second for ${FILES} s, ${place.name}`;
  const limit = Math.round(RAW_FILES / raw.seconds);
  bench.report({
    case: place.caseName('fleet'),
    measure: `put to acknowledgement, ${measure}`,
    unit: 'ms',
    isync: sampleOf(acknowledged),
    others: {},
    goals: [
      {
        text: `none lost: ${missing} missing, ${unanswered} not acknowledged`,
        met: missing === 0 && unanswered === 0,
      },
      { text: `p99 ≤ ${GOAL_P99_MS} ms: ${p99.toFixed(0)}`, met: p99 <= GOAL_P99_MS },
    ],
    note:
      `CPU of receive ${(cpuOf(pid) - cpuBefore).toFixed(1)} s; ` +
      `write + fdatasync + rename, ${RAW_AT_ONCE} at a time, does ${limit.toLocaleString('en')} such files a second here`,
  });
  reportMemory(bench, place, measure, pid, memory);
}

function reportMemory(
  bench: Bench,
  place: Place,
  measure: string,
  pid: number,
  memory: readonly number[],
): void {
  const isync = sampleOf([memoryOf(pid).peakBytes / MIB]);
  const half = memory.length / 2;
  const [third, fourth] = [
    sampleOf(memory.slice(half, half * 1.5)).median,
    sampleOf(memory.slice(half * 1.5)).median,
  ];
  const growth = 100 * (fourth / third - 1);
  bench.report({
    case: place.caseName('fleet'),
    measure: `peak memory of receive, ${measure}`,
    unit: 'MiB',
    isync,
    others: {},
    goals: [
      { text: `≤ ${GOAL_MEMORY_MIB} MiB`, met: isync.most <= GOAL_MEMORY_MIB },
      {
        text: `no growth in the second half: ${growth.toFixed(1)} %, at most ${GOAL_GROWTH_PERCENT}`,
        met: growth <= GOAL_GROWTH_PERCENT,
      },
    ],
    note: `third quarter ${third.toFixed(0)} MiB, fourth ${fourth.toFixed(0)} MiB`,
  });
}

/** What "isync token add" would write, in one go: a process for each would take minutes. */
async function writeTokens(folder: string, path: string): Promise<string[]> {
  const devices = Array.from({ length: DEVICES }, (_, index) => ({
    device: `device-${index}`,
    token: `isync_${randomBytes(32).toString('base64url')}`,
  }));
  const entries = devices.map(({ device, token }) => ({
    id: randomBytes(6).toString('hex'),
    device,
    sha256: hashToken(token).toString('hex'),
    created: new Date().toISOString(),
  }));
  await writeFile(path, formatTokenFile({ tokens: entries }), { mode: 0o600 });
  const groups: string[] = [];
  for (let group = 0; group < PROCESSES; group++) {
    const own = devices.filter((_, index) => index % PROCESSES === group);
    const file = join(folder, `devices-${group}.json`);
    await writeFile(file, JSON.stringify(Object.fromEntries(own.map((one) => [one.device, one.token]))));
    groups.push(file);
  }
  return groups;
}

/** Resident memory each second until all have ended, in MiB. */
async function followMemory(pid: number, started: readonly CliProcess[]): Promise<number[]> {
  const resident: number[] = [];
  const until = performance.now() + (FILES + SECONDS_MORE) * 1000;
  while (started.some(({ over }) => !over) && performance.now() < until) {
    resident.push(memoryOf(pid).residentBytes / MIB);
    await delay(SAMPLE_MS);
  }
  return resident;
}

async function answersOf(devices: CliProcess): Promise<Answers> {
  const { stdout, stderr, exitCode } = await devices.ended;
  if (exitCode !== 0 || stderr.includes('Error'))
    throw new Error(`the devices ended with ${exitCode}\n${stderr.slice(-2000)}`);
  return JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '') as Answers;
}

/** Whole files at the store. */
function keptFiles(store: string): number {
  let kept = 0;
  for (let device = 0; device < DEVICES; device++) {
    const folder = join(store, `device-${device}`, 'DC1');
    for (const name of readdirSync(folder)) if (statSync(join(folder, name)).size === FILE_BYTES) kept++;
  }
  return kept;
}
