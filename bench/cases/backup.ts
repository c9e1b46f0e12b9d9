import { mkdtemp, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { paginateListObjectsV2 } from '@aws-sdk/client-s3';
import { startCli } from '../../harness/cli.ts';
import type { Bench, BenchCase } from '../bench.ts';
import { timed } from '../competitors.ts';
import { contest, inCaseFolder, type Competitor } from '../contest.ts';
import { GIB, incompressible, KIB, MIB, mixedSizes, writeFiles, type DataSet } from '../data.ts';
import { atMost } from '../goals.ts';
import { runProgram } from '../process.ts';
import { startBucket, type BenchBucket } from '../s3-server.ts';
import { findTool, rcloneEnvironment } from '../s3-tools.ts';
import { inTurns, sampleOf } from '../sample.ts';
import { Telemetry } from '../telemetry.ts';
import { noteOf } from './loopback.ts';

const PIPE = 'tar | zstd -3 | rclone rcat';
const OF_PIPE = 1.2;
const RESTIC = 'restic backup';
const OF_RESTIC = 1.5;
/** As the promise has it: 300 MB. */
const MOST_MEMORY_MIB = 300e6 / MIB;

const SEED = 20_260_103;
const LOOK_MS = 20;
/** What was written just now would be read once more: its times can't tell it from a write of the same moment. */
const SETTLED_MS = 5000;

/** Of a smaller data set, to try the case itself: ISYNC_BENCH_BACKUP_FILES=500. */
const FILES = Number(process.env['ISYNC_BENCH_BACKUP_FILES'] ?? 10_000);
const BYTES = Math.round((2 * GIB * FILES) / 10_000);
const WHAT = `${FILES.toLocaleString('en')} files, ${(BYTES / MIB).toFixed(0)} MiB`;

export const BACKUP_CASES: readonly BenchCase[] = [
  { name: 'backup-full', about: `${WHAT} into a bucket, beside ${PIPE}`, run: measureFull },
  {
    name: 'backup-unchanged',
    about: `${WHAT} of which nothing has changed, beside ${RESTIC}`,
    run: measureUnchanged,
  },
];

async function measureFull(bench: Bench): Promise<void> {
  await inCaseFolder(bench.disk, 'backup-full', async (folder) => {
    await using bucket = await startBucket(bench, folder);
    if (bucket === undefined) throw new Error('there is no S3 server');
    const data = mixedFiles(folder);
    const memory: number[] = [];
    const competitors: Record<string, Competitor> = {
      isync: isyncFull(bucket, memory),
      ...(await pipe(bench, bucket)),
    };
    const { isync, ...others } = await contest(bench, folder, data, competitors);
    if (isync === undefined) return;
    bench.report({
      case: 'backup-full',
      measure: `${WHAT}, half of them text, from disk into a bucket`,
      unit: 's',
      isync,
      others,
      goals: atMost(OF_PIPE, PIPE, isync, others[PIPE]),
      note: noteOf({ isync, ...others }, '', 'backup + S3 server'),
    });
    reportMemory(bench, 'backup-full', memory);
  });
}

async function measureUnchanged(bench: Bench): Promise<void> {
  await inCaseFolder(bench.disk, 'backup-unchanged', async (folder) => {
    await using bucket = await startBucket(bench, folder);
    if (bucket === undefined) throw new Error('there is no S3 server');
    const data = mixedFiles(folder);
    await delay(SETTLED_MS);
    const memory: number[] = [];
    const config = await writeConfig(folder, data, bucket, 'unchanged');
    await backUp(bucket, config, []);
    const restic = await openRestic(bench, bucket);
    await restic?.(data.root);
    const measures: Record<string, () => Promise<number>> = {
      isync: async () => await secondsOf(async () => await backUp(bucket, config, memory)),
      ...(restic && { [RESTIC]: async () => await secondsOf(async () => await restic(data.root)) }),
    };
    const { isync, ...others } = await inTurns(bench.runs, measures);
    if (isync === undefined) return;
    bench.report({
      case: 'backup-unchanged',
      measure: `${WHAT}, nothing changed since the last backup`,
      unit: 's',
      isync,
      others,
      goals: atMost(OF_RESTIC, RESTIC, isync, others[RESTIC]),
    });
    reportMemory(bench, 'backup-unchanged', memory);
  });
}

function reportMemory(bench: Bench, name: string, memory: readonly number[]): void {
  const peak = sampleOf(memory);
  const met = peak.most <= MOST_MEMORY_MIB;
  bench.report({
    case: name,
    measure: 'peak memory of the run',
    unit: 'MiB',
    isync: peak,
    others: {},
    goals: [{ text: `${peak.most.toFixed(0)} MiB, at most ${MOST_MEMORY_MIB.toFixed(0)} (300 MB)`, met }],
  });
}

/** Log-normal sizes; every other block is text, so that there is something to compress. */
function mixedFiles(folder: string): DataSet {
  const telemetry = new Telemetry(SEED);
  const sizes = mixedSizes(FILES, BYTES, KIB, 64 * MIB);
  let blocks = 0;
  const other = incompressible();
  return writeFiles(join(folder, 'root'), sizes, (length) =>
    blocks++ % 2 === 0 ? telemetry.read(length) : other(length),
  );
}

/** A job of a bucket, every setting at its default. */
async function writeConfig(
  folder: string,
  { root }: DataSet,
  bucket: BenchBucket,
  prefix: string,
): Promise<string> {
  const config = join(folder, `${prefix}.yaml`);
  const to = [{ url: `s3://${bucket.name}/${prefix}`, endpoints: [bucket.endpoint] }];
  await writeFile(config, JSON.stringify({ jobs: [{ name: 'bench', sources: [root], full: '7d', to }] }));
  return config;
}

/** @param memory gets the most that the run has held, in MiB */
async function backUp(bucket: BenchBucket, config: string, memory: number[]): Promise<void> {
  await using run = startCli(['backup', 'run', '--config', config, '--json'], { env: bucket.env });
  let peak = 0;
  while (!run.over) {
    peak = Math.max(peak, run.peakMemory());
    await delay(LOOK_MS);
  }
  memory.push(peak / MIB);
  const { exitCode, stderr } = await run.ended;
  if (exitCode !== 0) throw new Error(`isync backup run ended with ${exitCode}: ${stderr.slice(-2000)}`);
}

function isyncFull(bucket: BenchBucket, memory: number[]): Competitor {
  return {
    run: async (data, store) => {
      const folder = await mkdtemp(join(store, 'state-'));
      const prefix = basename(store);
      const config = await writeConfig(folder, data, bucket, prefix);
      return await timed(
        () => bucket.cpu(),
        async () => {
          await backUp(bucket, config, memory);
          return {
            same: true,
            check: async (thorough) => await checkArchive(bucket, `${prefix}/bench/`, data, thorough),
          };
        },
      );
    },
  };
}

async function pipe(bench: Bench, bucket: BenchBucket): Promise<Record<string, Competitor>> {
  const rclone = await findTool(bench, 'rclone', ['version']);
  const zstd = await findTool(bench, 'zstd', ['--version']);
  if (rclone === undefined || zstd === undefined) return {};
  const competitor: Competitor = {
    run: async ({ root }, store) => {
      const key = `bench:${bucket.name}/${basename(store)}/root.tar.zst`;
      const line = 'set -o pipefail; tar -C "$1" -cf - . | "$2" -3 -c -q | "$3" rcat "$4"';
      return await timed(
        () => bucket.cpu(),
        async () => {
          await runProgram('bash', ['-c', line, 'bash', root, zstd, rclone, key], rcloneEnvironment(bucket));
          return {};
        },
      );
    },
  };
  return { [PIPE]: competitor };
}

/** Rejects unless there is one archive; `thorough` counts what plain tar finds in it. */
async function checkArchive(
  bucket: BenchBucket,
  prefix: string,
  data: DataSet,
  thorough: boolean,
): Promise<void> {
  const keys: string[] = [];
  const pages = paginateListObjectsV2({ client: bucket.client }, { Bucket: bucket.name, Prefix: prefix });
  for await (const { Contents = [] } of pages) keys.push(...Contents.map(({ Key = '' }) => Key));
  const archives = keys.filter((key) => key.endsWith('.tar.zst'));
  const manifests = keys.filter((key) => key.endsWith('.manifest'));
  if (archives.length !== 1 || manifests.length !== 1) throw new Error(`${prefix} holds ${keys.join(', ')}`);
  if (!thorough) return;
  const line = 'set -o pipefail; rclone cat "$1" | zstd -dc | tar -tf - | grep -c "[.]bin$"';
  const args = ['-c', line, 'bash', `bench:${bucket.name}/${archives[0]}`];
  const { stdout } = await runProgram('bash', args, rcloneEnvironment(bucket));
  if (Number(stdout) !== data.sizes.length) throw new Error(`the archive has ${stdout.trim()} files`);
}

/** A repository in the same bucket; undefined, and said so, where there is no restic. */
async function openRestic(
  bench: Bench,
  bucket: BenchBucket,
): Promise<((root: string) => Promise<void>) | undefined> {
  const restic = await findTool(bench, 'restic', ['version']);
  if (restic === undefined) return undefined;
  const env = {
    ...bucket.env,
    RESTIC_REPOSITORY: `s3:${bucket.endpoint}/${bucket.name}/restic`,
    RESTIC_PASSWORD: 'bench',
  };
  await runProgram(restic, ['init', '--quiet'], env);
  return async (root) => void (await runProgram(restic, ['backup', '--quiet', root], env));
}

async function secondsOf(work: () => Promise<void>): Promise<number> {
  const started = performance.now();
  await work();
  return (performance.now() - started) / 1000;
}
