import { mkdtemp, writeFile } from 'node:fs/promises';
import { listens } from '../../harness/listens.ts';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { join } from 'node:path';
import { runCli, startCli } from '../../harness/cli.ts';
import { until, type CliProcess } from '../../harness/process.ts';
import type { Bench, BenchCase, Sample } from '../bench.ts';
import { inCaseFolder } from '../contest.ts';
import { asManyAs } from '../goals.ts';
import { cpuOf, numberFrom, runProgram, startOwn, startProgram } from '../process.ts';
import { findTool } from '../s3-tools.ts';
import { inTurns, sampleOf } from '../sample.ts';

const CLIENTS = 64;
const SECONDS = 10;
/** 50,000 a minute. */
const RATE = 833;
/** What VK's notifications and their like may wait for an answer at that rate, beside what the disk takes, in ms. */
const BESIDE_DISK_MS = 10;
const TIMES_DISK = 3;
const FASTER = 1.2;

const PEER = "Debian's webhook, /bin/true, keeps nothing";
const DISK = 'write + fdatasync alone, p99';

/** What 64 clients saw. */
interface Seen {
  /** Events answered with 200, a second. */
  readonly accepted: number;
  readonly answered: number;
  readonly refused: number;
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
}

interface Receiver extends AsyncDisposable {
  readonly port: number;
  readonly path: string;
  readonly pid: number;
  /** Rejects unless all that was answered with 200 is kept. */
  check(answered: number): Promise<void>;
}

export const WEBHOOK_ACCEPT_CASES: readonly BenchCase[] = [
  { name: 'webhook-accept', about: "events accepted over HTTP, beside Debian's webhook", run },
];

async function run(bench: Bench): Promise<void> {
  await inCaseFolder(bench.disk, 'webhook-accept', async (folder) => {
    const tool = await findTool(bench, 'webhook', ['-version']);
    await compare(bench, folder, tool);
    await paced(bench, folder);
  });
}

/** As many as they can. */
async function compare(bench: Bench, folder: string, tool: string | undefined): Promise<void> {
  const seen = { isync: [] as Seen[], peer: [] as Seen[] };
  const rateOf = async (all: Seen[], start: () => Promise<Receiver>): Promise<number> => {
    const one = await posted(bench, start);
    all.push(one);
    return one.accepted;
  };
  const rates = await inTurns<string>(bench.runs, {
    isync: async () => await rateOf(seen.isync, async () => await startIsync(folder)),
    ...(tool !== undefined && {
      [PEER]: async () => await rateOf(seen.peer, async () => await startPeer(tool, folder)),
    }),
  });
  const { isync, ...others } = rates;
  if (isync === undefined) return;
  bench.report({
    case: 'webhook-accept',
    measure: `events accepted from ${CLIENTS} clients that keep their connections`,
    unit: '/s',
    isync,
    others,
    goals: asManyAs(FASTER, 'the other', isync, others[PEER]),
  });
  const waits = { isync: p99Of(seen.isync), ...(tool !== undefined && { [PEER]: p99Of(seen.peer) }) };
  const peer = waits[PEER];
  bench.report({
    case: 'webhook-accept',
    measure: 'the same, p99 of an answer',
    unit: 'ms',
    isync: waits.isync,
    others: peer === undefined ? {} : { [PEER]: peer },
    goals:
      peer === undefined ? [] : [{ text: 'not above the other', met: waits.isync.median <= peer.median }],
  });
}

/** As many as a busy store sends; the disk's own figure is taken just before each. */
async function paced(bench: Bench, folder: string): Promise<void> {
  const seen: Seen[] = [];
  const { isync, [DISK]: disk } = await inTurns(bench.runs, {
    [DISK]: async () => await numberFrom('bare-sync', [folder, SECONDS]),
    isync: async () => {
      const one = await posted(bench, async () => await startIsync(folder), RATE);
      seen.push(one);
      return one.p99;
    },
  });
  const most = BESIDE_DISK_MS + TIMES_DISK * disk.median;
  bench.report({
    case: 'webhook-accept',
    measure: `p99 of an answer at ${RATE} events/s`,
    unit: 'ms',
    isync,
    others: { [DISK]: disk },
    goals: [
      {
        text: `p99 ≤ ${BESIDE_DISK_MS} ms + ${TIMES_DISK} × the disk's: ${most.toFixed(1)}`,
        met: isync.median <= most,
      },
    ],
    note: `p50 ${sampleOf(seen.map(({ p50 }) => p50)).median.toFixed(1)} ms; ${Math.round(sampleOf(seen.map(({ accepted }) => accepted)).median)} accepted a second`,
  });
}

function p99Of(seen: readonly Seen[]): Sample {
  return sampleOf(seen.map(({ p99 }) => p99));
}

async function posted(bench: Bench, start: () => Promise<Receiver>, rate?: number): Promise<Seen> {
  await using receiver = await start();
  const { port, path, pid } = receiver;
  const cpuBefore = cpuOf(pid);
  const args = [port, path, CLIENTS, SECONDS, ...(rate === undefined ? [] : [rate])];
  await using posters = startOwn('posters', args);
  const { exitCode, stdout, stderr } = await posters.ended;
  if (exitCode !== 0) throw new Error(`posters ended with ${exitCode}: ${stderr.slice(-2000)}`);
  const seen = JSON.parse(stdout) as Seen;
  if (seen.refused > 0) throw new Error(`${seen.refused} events were refused`);
  const cpu = (cpuOf(pid) - cpuBefore).toFixed(1);
  bench.say(
    `  ${path}: ${Math.round(seen.accepted)}/s, p50 ${seen.p50.toFixed(1)} ms, p99 ${seen.p99.toFixed(1)} ms, CPU ${cpu} s`,
  );
  await receiver.check(seen.answered);
  return seen;
}

/** With a queue of its own on the disk, and every option at its default. */
async function startIsync(folder: string): Promise<Receiver> {
  const state = await mkdtemp(join(folder, 'state-'));
  const process = startCli(['webhook', '--role', 'receive', '--port', '0', '--state', state, '--json']);
  const url = await process.until('the webhook to listen', () => /"url":"([^"]+)"/.exec(process.stdout)?.[1]);
  return {
    port: Number(new URL(url).port),
    path: '/webhook',
    pid: process.pid,
    check: async (answered) => {
      // What is in the queue after a kill was durable.
      await process.kill();
      const { stdout } = await runCli(['webhook', 'queue', '--state', state, '--json']);
      const { waiting } = JSON.parse(stdout) as { readonly waiting: number };
      if (waiting < answered) throw new Error(`${answered} events were accepted, and ${waiting} are kept`);
    },
    [Symbol.asyncDispose]: async () => await process[Symbol.asyncDispose](),
  };
}

async function startPeer(tool: string, folder: string): Promise<Receiver> {
  const hooks = join(folder, 'hooks.json');
  await writeFile(hooks, JSON.stringify([{ id: 'bench', 'execute-command': '/bin/true' }]));
  const port = await freePort();
  const process = startProgram(tool, ['-hooks', hooks, '-ip', '127.0.0.1', '-port', String(port)]);
  await until('the other webhook to listen', async () => await isListening(process, port));
  return {
    port,
    path: '/hooks/bench',
    pid: process.pid,
    check: () => Promise.resolve(),
    [Symbol.asyncDispose]: async () => {
      await process[Symbol.asyncDispose]();
      await runProgram('sync', []);
    },
  };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

async function isListening(process: CliProcess, port: number): Promise<boolean> {
  if (process.over) throw new Error(process.tail());
  return await listens(port);
}
