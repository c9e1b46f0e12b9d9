import {
  chmodSync,
  closeSync,
  mkdirSync,
  openSync,
  readdirSync,
  watch,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { CliProcess } from '../../harness/process.ts';
import type { Bench, BenchCase } from '../bench.ts';
import { inCaseFolder } from '../contest.ts';
import { MIB } from '../data.ts';
import { memoryOf } from '../memory.ts';
import { startPair } from '../pair.ts';
import { everywhere, type Place } from '../places.ts';
import { cpuOf, runProgram } from '../process.ts';
import { sampleOf } from '../sample.ts';

const FINISHED = 10_000;
const FILES = 1_000_000;
const FILE_BYTES = 16;
/** Of directories that are as old as each other the last by name is the newest. */
const LAST = `DC${FINISHED}`;

const GOAL_FIRST_S = 2;
/** 200 MB. */
const GOAL_MEMORY_MIB = 200e6 / MIB;
const GOAL_IDLE_PERCENT = 0.5;

/** It need not all be sent: as many files, or as many seconds, show what is held in memory. */
const ENOUGH_FILES = 100_000;
const ENOUGH_MS = 60_000;
const LOOK_MS = 250;
const PATIENCE_MS = 60_000;
/** After the start, before it counts as idle. */
const CALM_MS = 5_000;
const IDLE_MS = 25_000;

/** What a scan costs that has years of finished directories beside it: at rest, and with a million files to do. */
export const BACKLOG_CASES: readonly BenchCase[] = [
  ...everywhere({
    name: 'idle',
    about: `CPU of a scan of ${FINISHED.toLocaleString('en')} finished directories and an active one, with nothing to do`,
    async run(bench, place) {
      await inCaseFolder(place.folder, 'idle', async (folder) => {
        writeFinished(join(folder, 'root'));
        await measureIdle(bench, place, folder, join(folder, 'root'));
      });
    },
  }),
  ...everywhere({
    name: 'backlog',
    about: `${FINISHED.toLocaleString('en')} finished directories, ${FILES.toLocaleString('en')} files to send: first file, memory`,
    async run(bench, place) {
      await inCaseFolder(place.folder, 'backlog', async (folder) => {
        const root = join(folder, 'root');
        writeFinished(root);
        bench.say(`  writing ${FILES} files`);
        writeFiles(join(root, LAST));
        await measureBacklog(bench, place, folder, root, 'active');
        writeFileSync(join(root, LAST, 'finished.parse'), '');
        await measureBacklog(bench, place, folder, root, 'closed');
      });
    },
  }),
];

function writeFinished(root: string): void {
  for (let index = 0; index < FINISHED; index++) {
    mkdirSync(join(root, `DC${index}`), { recursive: true });
    writeFileSync(join(root, `DC${index}`, 'finished.watch'), '');
  }
  mkdirSync(join(root, LAST));
}

function writeFiles(folder: string): void {
  for (let index = 0; index < FILES; index++) {
    const file = openSync(join(folder, `file-${index}`), 'w', 0o644);
    writeSync(file, String(index).padStart(FILE_BYTES));
    closeSync(file);
  }
}

/** All transferred, nothing comes: only looking whether it is still so. */
async function measureIdle(bench: Bench, place: Place, folder: string, root: string): Promise<void> {
  await using pair = await startPair(folder);
  await using scan = pair.scan(root);
  writeFileSync(join(root, LAST, 'first'), '');
  await scan.until('the first file', () => namesIn(join(pair.copy, LAST)) > 0, PATIENCE_MS);
  const found: { scan: number[]; receive: number[] } = { scan: [], receive: [] };
  for (let run = 0; run < bench.runs; run++) {
    await delay(CALM_MS);
    const pids = { scan: scan.pid, receive: pair.receiver.process.pid };
    const before = { scan: cpuOf(pids.scan), receive: cpuOf(pids.receive) };
    const start = performance.now();
    await delay(IDLE_MS);
    const seconds = (performance.now() - start) / 1000;
    for (const side of ['scan', 'receive'] as const)
      found[side].push((100 * (cpuOf(pids[side]) - before[side])) / seconds);
  }
  const isync = sampleOf(found.scan);
  bench.report({
    case: place.caseName('idle'),
    measure: `idle CPU of scan, ${FINISHED.toLocaleString('en')} finished directories and an active one, ${place.name}`,
    unit: '%',
    isync,
    others: {},
    goals: [{ text: `≤ ${GOAL_IDLE_PERCENT} % of a core`, met: isync.most <= GOAL_IDLE_PERCENT }],
    note: `receive ${sampleOf(found.receive).median.toFixed(2)} %`,
  });
}

interface Worked {
  readonly firstS: number;
  readonly files: number;
  readonly seconds: number;
  readonly scanMiB: number;
  readonly receiveMiB: number;
}

async function measureBacklog(
  bench: Bench,
  place: Place,
  folder: string,
  root: string,
  state: 'active' | 'closed',
): Promise<void> {
  const runs: Worked[] = [];
  for (let run = 0; run < bench.runs; run++) {
    runs.push(await work(join(folder, `${state}-${run}`), root));
  }
  const what = `${FILES.toLocaleString('en')} files to send, ${state}, ${FINISHED.toLocaleString('en')} finished directories, ${place.name}`;
  const note = runs
    .map(({ files, seconds }) => `${files.toLocaleString('en')} files in ${seconds.toFixed(1)} s`)
    .join('; ');
  const first = sampleOf(runs.map(({ firstS }) => firstS));
  bench.report({
    case: place.caseName('backlog'),
    measure: `start to first file acknowledged, ${what}`,
    unit: 's',
    isync: first,
    others: {},
    goals: [{ text: `≤ ${GOAL_FIRST_S} s`, met: first.most <= GOAL_FIRST_S }],
    note,
  });
  for (const side of ['scan', 'receive'] as const) {
    const isync = sampleOf(runs.map((run) => run[`${side}MiB`]));
    bench.report({
      case: place.caseName('backlog'),
      measure: `peak memory of ${side}, ${what}`,
      unit: 'MiB',
      isync,
      others: {},
      goals: [{ text: `≤ ${GOAL_MEMORY_MIB.toFixed(0)} MiB`, met: isync.most <= GOAL_MEMORY_MIB }],
    });
  }
}

/** Lets a scan work for a while on what is left of the backlog. */
async function work(folder: string, root: string): Promise<Worked> {
  await mkdir(folder);
  await using pair = await startPair(folder);
  // What the run before left to be written would be written during this one.
  await runProgram('sync', []);
  const marked = firstMark(join(root, LAST));
  const start = performance.now();
  await using scan = pair.scan(root);
  const firstS = ((await marked) - start) / 1000;
  const copy = join(pair.copy, LAST);
  let files = 0;
  do {
    await delay(LOOK_MS);
    stillRuns(scan);
    files = namesIn(copy);
  } while (files < ENOUGH_FILES && performance.now() - start < ENOUGH_MS);
  const worked = {
    firstS,
    files,
    seconds: (performance.now() - start) / 1000,
    scanMiB: memoryOf(scan.pid).peakBytes / MIB,
    receiveMiB: memoryOf(pair.receiver.process.pid).peakBytes / MIB,
  };
  await scan.stop('SIGKILL');
  takeMarksOff(root, copy);
  return worked;
}

/** What was sent waits again, as if it had never been. */
function takeMarksOff(root: string, copy: string): void {
  for (const name of readdirSync(copy)) chmodSync(join(root, LAST, name), 0o644);
}

/** When the first file of a folder is marked: nobody else changes anything there. */
function firstMark(folder: string): Promise<number> {
  return new Promise((resolve) => {
    const watcher = watch(folder, () => {
      watcher.close();
      resolve(performance.now());
    });
  });
}

function namesIn(folder: string): number {
  try {
    return readdirSync(folder).length;
  } catch {
    // It is not there yet.
    return 0;
  }
}

function stillRuns(scan: CliProcess): void {
  if (scan.over) throw new Error(`scan ended early\n${scan.tail()}`);
}
