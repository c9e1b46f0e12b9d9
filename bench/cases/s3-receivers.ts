import { mkdtemp } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { addToken, scanOnce, startReceiver, writeTokenFile, type Receiver } from '../../harness/cli.ts';
import type { Bench, BenchCase } from '../bench.ts';
import { inCaseFolder } from '../contest.ts';
import { KIB, MIB, equalSizes, resetFiles, writeFiles, type DataSet } from '../data.ts';
import { memoryOf } from '../memory.ts';
import { cpuOf, cpuOfEnded, runProgram, startListening } from '../process.ts';
import { startBucket, type BenchBucket } from '../s3-server.ts';
import { inTurns, sampleOf } from '../sample.ts';

const DEVICES = 8;
const RECEIVERS = [1, 2, 4] as const;

/** What each device sends. */
const LOADS = [
  { what: '1,000 × 4 KiB', sizes: () => equalSizes(1000, 4 * KIB), unit: '/s' },
  { what: '24 × 4 MiB', sizes: () => equalSizes(24, 4 * MIB), unit: 'MiB/s' },
] as const;
type Load = (typeof LOADS)[number];

/** Several receivers on one bucket behind one address, and devices that all send at once, each a process of its own. */
export const S3_RECEIVERS_CASES: readonly BenchCase[] = [
  {
    name: 's3-receivers',
    about: `${DEVICES} devices to 1, 2 and 4 receivers that share an S3 bucket`,
    async run(bench) {
      await inCaseFolder(bench.disk, 's3-receivers', async (folder) => {
        await using bucket = await startBucket(bench, folder);
        if (bucket === undefined) throw new Error('there is no S3 server');
        const tokens = join(folder, 'tokens.json');
        const tokenFiles: string[] = [];
        for (let index = 0; index < DEVICES; index++)
          tokenFiles.push(await writeTokenFile(folder, nameOf(index), await addToken(nameOf(index), tokens)));
        for (const load of LOADS) await measure(bench, { folder, bucket, tokens, tokenFiles }, load);
      });
    },
  },
];

interface Setting {
  readonly folder: string;
  readonly bucket: BenchBucket;
  /** The file that all receivers share. */
  readonly tokens: string;
  /** One a device. */
  readonly tokenFiles: readonly string[];
}

interface Device {
  readonly name: string;
  readonly tokenFile: string;
  readonly data: DataSet;
}

/** CPU in seconds. */
interface Use {
  readonly seconds: number;
  readonly receiversCpu: readonly number[];
  readonly receiversPeakBytes: readonly number[];
  readonly devicesCpu: number;
  readonly forwarderCpu: number;
  readonly serverCpu: number;
}

async function measure(bench: Bench, setting: Setting, load: Load): Promise<void> {
  const roots = await mkdtemp(join(setting.folder, 'roots-'));
  const devices = setting.tokenFiles.map((tokenFile, index) => ({
    name: nameOf(index),
    tokenFile,
    data: writeFiles(join(roots, nameOf(index)), load.sizes()),
  }));
  const amount =
    load.unit === '/s'
      ? sum(devices, ({ data }) => data.sizes.length)
      : sum(devices, ({ data }) => data.bytes) / MIB;
  const uses = new Map<number, Use[]>(RECEIVERS.map((count) => [count, []]));
  const once = (count: number) => async (): Promise<number> => {
    const use = await transfer(setting, devices, count);
    uses.get(count)?.push(use);
    bench.say(`  ${count}: ${textOf([use])}`);
    return amount / use.seconds;
  };
  const samples = await inTurns(
    bench.runs,
    Object.fromEntries(RECEIVERS.map((count) => [count, once(count)])),
  );
  for (const count of RECEIVERS)
    bench.report({
      case: 's3-receivers',
      measure: `${DEVICES} devices, ${load.what} each, ${count === 1 ? '1 receiver' : `${count} receivers`} on one bucket`,
      unit: load.unit,
      isync: samples[count] ?? sampleOf([]),
      others: {},
      goals: [],
      note: textOf(uses.get(count) ?? []),
    });
}

/** All devices send all they have, from the start of their processes to the end of the last. */
async function transfer(
  { folder, bucket, tokens }: Setting,
  devices: readonly Device[],
  count: number,
): Promise<Use> {
  const prefix = basename(await mkdtemp(join(folder, 'prefix-')));
  for (const { data } of devices) resetFiles(data);
  await runProgram('sync', []);
  await using stack = new AsyncDisposableStack();
  const receivers: Receiver[] = [];
  for (let index = 0; index < count; index++) {
    const args = ['--s3-endpoint', bucket.endpoint, '--tokens', tokens];
    receivers.push(
      stack.use(await startReceiver(`s3://${bucket.name}/${prefix}`, { args, env: bucket.env })),
    );
  }
  const forwarder = stack.use(
    await startListening(
      'round-robin',
      receivers.map(({ port }) => port),
    ),
  );
  const pids = [...receivers.map(({ process }) => process.pid), forwarder.pid];
  const cpuBefore = pids.map(cpuOf);
  const [serverBefore, devicesBefore] = [bucket.cpu(), cpuOfEnded()];
  const start = performance.now();
  await Promise.all(
    devices.map(async ({ name, tokenFile, data }) => {
      const to = `ws://127.0.0.1:${forwarder.port}`;
      const args = ['--token-file', tokenFile];
      const { exitCode, stderr } = await scanOnce(data.root, { to, device: name, args });
      if (exitCode !== 0) throw new Error(`isync scan ended with ${exitCode}: ${stderr.slice(-2000)}`);
    }),
  );
  const seconds = (performance.now() - start) / 1000;
  const cpu = pids.map((pid, index) => cpuOf(pid) - (cpuBefore[index] ?? NaN));
  const use = {
    seconds,
    receiversCpu: cpu.slice(0, count),
    receiversPeakBytes: receivers.map(({ process }) => memoryOf(process.pid).peakBytes),
    devicesCpu: cpuOfEnded() - devicesBefore,
    forwarderCpu: cpu[count] ?? NaN,
    serverCpu: bucket.cpu() - serverBefore,
  };
  for (const { name, data } of devices) await bucket.check(data, `${prefix}/${name}`, false);
  return use;
}

function textOf(uses: readonly Use[]): string {
  const median = (of: (use: Use) => number): string => sampleOf(uses.map(of)).median.toFixed(1);
  const each = (of: (use: Use) => readonly number[], digits: number): string =>
    (uses[0] === undefined ? [] : of(uses[0]))
      .map((_, index) => sampleOf(uses.map((use) => of(use)[index] ?? NaN)).median.toFixed(digits))
      .join(' + ');
  return (
    `in ${median(({ seconds }) => seconds)} s; CPU of the receivers ${each(({ receiversCpu }) => receiversCpu, 1)} s, ` +
    `S3 server ${median(({ serverCpu }) => serverCpu)} s, devices ${median(({ devicesCpu }) => devicesCpu)} s, ` +
    `forwarder ${median(({ forwarderCpu }) => forwarderCpu)} s; peak memory of the receivers ` +
    `${each(({ receiversPeakBytes }) => receiversPeakBytes.map((bytes) => bytes / MIB), 0)} MiB`
  );
}

function nameOf(index: number): string {
  return `edge${index}`;
}

function sum<T>(values: readonly T[], of: (value: T) => number): number {
  return values.reduce((total, value) => total + of(value), 0);
}
