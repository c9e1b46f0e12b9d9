import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { startReceiver } from '../../harness/cli.ts';
import type { CliProcess } from '../../harness/process.ts';
import type { StatusReport } from '../../src/observe/status/report.ts';
import type { Bench, BenchCase } from '../bench.ts';
import { inCaseFolder } from '../contest.ts';
import { KIB, equalSizes, resetFiles, writeFiles } from '../data.ts';
import { startPair } from '../pair.ts';
import { everywhere, type Place } from '../places.ts';
import { cpuOf, startOwn } from '../process.ts';
import { inTurns } from '../sample.ts';

const DEVICES = 1000;
/** Processes that play them: one can't keep up with the receiver. */
const PROCESSES = 2;
const FILE_BYTES = 4 * KIB;
/** With and without a page, in turns, in seconds. */
const WINDOW_S = 5;
/** Before the first of them, until all devices send. */
const CALM_S = 3;
const GOAL_PAGE_PERCENT = 5;

const SCANNED_FILES = 60_000;
/** As often as anybody has Prometheus ask, in ms. */
const SCRAPE_MS = 5_000;
/** A command has loaded what it needs by then, in ms. */
const STARTED_MS = 3_000;
const LOOK_MS = 20;
const PATIENCE_MS = 600_000;
const GOAL_SCAN_PERCENT = 2;

const STATUS = ['--status', '127.0.0.1:0'];

/** What it costs to be looked at. */
export const STATUS_CASES: readonly BenchCase[] = [
  ...everywhere({
    name: 'status-page',
    about: `CPU of a receiver of ${DEVICES} devices, each a file a second, with and without a page that is open`,
    async run(bench, place) {
      await inCaseFolder(
        place.folder,
        'status-page',
        async (folder) => await measurePage(bench, place, folder),
      );
    },
  }),
  ...everywhere({
    name: 'status-scan',
    about: `CPU of a scan of ${SCANNED_FILES.toLocaleString('en')} files at full load, with and without page and metrics`,
    async run(bench, place) {
      await inCaseFolder(
        place.folder,
        'status-scan',
        async (folder) => await measureScan(bench, place, folder),
      );
    },
  }),
];

/** The same receiver in the same minute: what grows is the page alone. */
async function measurePage(bench: Bench, place: Place, folder: string): Promise<void> {
  const files = CALM_S + bench.runs * 2 * WINDOW_S;
  await using receiver = await startReceiver(folder, {
    args: [...STATUS, '--max-connections', String(DEVICES + 100), '--log-level', 'warn'],
  });
  await using stack = new AsyncDisposableStack();
  const devices = groupsIn(folder).map((group) =>
    stack.use(startOwn('devices', [receiver.url, group, files, FILE_BYTES])),
  );
  await Promise.all(
    devices.map(async (each) => await each.until('its devices', () => each.stdout.includes('ready\n'))),
  );
  const url = statusUrl(receiver.process.stdout);
  await delay(CALM_S * 1000);
  const { pid } = receiver.process;
  /** CPU seconds for what a second brings: on a busy machine not all of it may come. */
  const window = async (): Promise<number> => {
    const filesBefore = await filesOf(url);
    const before = cpuOf(pid);
    await delay(WINDOW_S * 1000);
    const cpu = cpuOf(pid) - before;
    return (cpu / ((await filesOf(url)) - filesBefore)) * DEVICES;
  };
  let bytes = 0;
  const { without, open } = await inTurns(bench.runs, {
    without: window,
    open: async () => {
      await using page = openPage(url);
      const cpu = await window();
      bytes += page.bytes;
      bench.say(`  ${Math.round(page.bytes / KIB)} KiB read, CPU ${cpu.toFixed(3)} s a second`);
      return cpu;
    },
  });
  const growth = 100 * (open.median / without.median - 1);
  bench.report({
    case: place.caseName('status-page'),
    measure: `CPU of receive for a second's files with a page, ${DEVICES.toLocaleString('en')} devices, ${place.name}`,
    unit: 's',
    isync: open,
    others: { 'no page': without },
    goals: [
      {
        text: `grows by ${growth.toFixed(1)} %, at most ${GOAL_PAGE_PERCENT}`,
        met: growth <= GOAL_PAGE_PERCENT,
      },
    ],
    note: `the page has read ${Math.round(bytes / bench.runs / WINDOW_S / KIB)} KiB a second`,
  });
}

async function measureScan(bench: Bench, place: Place, folder: string): Promise<void> {
  const made = join(folder, 'made');
  const data = writeFiles(made, equalSizes(SCANNED_FILES, FILE_BYTES));
  let run = 0;
  const scan = async (watched: boolean): Promise<number> => {
    const own = join(folder, String(run++));
    const root = join(own, 'root');
    await mkdir(root, { recursive: true });
    await using pair = await startPair(own);
    await using scanning = pair.scan(root, watched ? STATUS : []);
    // What it takes to start is no cost of full load.
    await delay(STARTED_MS);
    await using stack = new AsyncDisposableStack();
    if (watched) {
      const url = await scanning.until('its page', () => statusUrl(scanning.stderr));
      stack.use(openPage(url));
      stack.use(scrape(url));
    }
    const before = cpuOf(scanning.pid);
    renameSync(join(made, 'DC1'), join(root, 'DC1'));
    await sealed(join(root, 'DC1'), scanning);
    const cpu = cpuOf(scanning.pid) - before;
    renameSync(join(root, 'DC1'), join(made, 'DC1'));
    resetFiles(data);
    rmSync(own, { recursive: true, force: true });
    bench.say(`  ${watched ? 'watched' : 'not watched'}: CPU ${cpu.toFixed(2)} s`);
    return cpu;
  };
  const { without, watched } = await inTurns(bench.runs, {
    without: async () => await scan(false),
    watched: async () => await scan(true),
  });
  const growth = 100 * (watched.median / without.median - 1);
  bench.report({
    case: place.caseName('status-scan'),
    measure: `CPU of scan with page and metrics, ${SCANNED_FILES.toLocaleString('en')} × 4 KiB, ${place.name}`,
    unit: 's',
    isync: watched,
    others: { 'without --status': without },
    goals: [
      {
        text: `grows by ${growth.toFixed(1)} %, at most ${GOAL_SCAN_PERCENT}`,
        met: growth <= GOAL_SCAN_PERCENT,
      },
    ],
  });
}

/** Files of devices and what they send as token: the receiver asks for none. */
function groupsIn(folder: string): string[] {
  return Array.from({ length: PROCESSES }, (_, group) => {
    const names = Array.from({ length: DEVICES / PROCESSES }, (_, index) => `device-${group}-${index}`);
    const path = join(folder, `devices-${group}.json`);
    mkdirSync(folder, { recursive: true });
    writeFileSync(path, JSON.stringify(Object.fromEntries(names.map((name) => [name, 'none']))));
    return path;
  });
}

/** A receiver tells it as `status`, a scan in its log as `url`; '' until then. */
function statusUrl(text: string): string {
  return /"(?:status|url)":"(http:[^"]+)"/.exec(text)?.[1] ?? '';
}

/** Files that a receiver has kept since its start. */
async function filesOf(url: string): Promise<number> {
  const { cards } = (await (await fetch(`${url}/status.json`)).json()) as StatusReport;
  const facts = cards.find(({ id }) => id === 'devices')?.facts ?? [];
  return Number(facts.find(({ id }) => id === 'files')?.value);
}

/** Reads the events of a page for as long as it lasts. */
function openPage(url: string): AsyncDisposable & { readonly bytes: number } {
  const leaving = new AbortController();
  let bytes = 0;
  const read = async (): Promise<void> => {
    const { body } = await fetch(`${url}/events`, { signal: leaving.signal });
    for await (const piece of body ?? []) bytes += piece.length;
  };
  const reading = read().catch((error: unknown) => {
    if (!leaving.signal.aborted) throw error;
  });
  return {
    get bytes() {
      return bytes;
    },
    [Symbol.asyncDispose]: async () => {
      leaving.abort();
      await reading;
    },
  };
}

/** Asks for the metrics now and again and again. */
function scrape(url: string): Disposable {
  const ask = async (): Promise<void> => void (await (await fetch(`${url}/metrics`)).text());
  void ask();
  const timer = setInterval(() => void ask().catch(() => undefined), SCRAPE_MS);
  return { [Symbol.dispose]: () => clearInterval(timer) };
}

async function sealed(directory: string, scanning: CliProcess): Promise<void> {
  const until = performance.now() + PATIENCE_MS;
  while (!existsSync(join(directory, 'finished.watch'))) {
    if (scanning.over || performance.now() > until) throw new Error(`not sealed:\n${scanning.tail()}`);
    await delay(LOOK_MS);
  }
}
