import { existsSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { join } from 'node:path';
import { PutObjectCommand } from '@aws-sdk/client-s3';
import { startEventBridge } from '../../harness/ceph-events.ts';
import { startCli } from '../../harness/cli.ts';
import { startSqsServer } from '../../harness/sqs-server.ts';
import type { Bench, BenchCase, Goal } from '../bench.ts';
import { rawDisk } from '../competitors.ts';
import { contest, inCaseFolder, type Competitor, type Result } from '../contest.ts';
import { GIB, KIB, equalSizes, writeFiles } from '../data.ts';
import { atMost } from '../goals.ts';
import { awsDownload, fillBucket, isyncPull, rcloneDownload, writeConfig } from '../pull-tools.ts';
import { quantile, sampleOf } from '../sample.ts';
import { startBucket } from '../s3-server.ts';
import { noteOf } from './loopback.ts';

const AWS = 'aws s3 cp --recursive';
const RCLONE = 'rclone copy --transfers 32';
/** Of the AWS CLI's time, and of rclone's: neither makes anything durable or reads a queue. */
const OF_AWS = 0.8;
const OF_RCLONE = 1.5;
/** What is aimed at. */
const AIM_OF_RCLONE = 1;

/** What the disk can do at best: the same files, written and made durable. */
const DISK = 'disk alone, fsync';
const DISK_AT_ONCE = 32;

const PUTS = 100;
/** Between puts, in ms: the machine has done with the one before. */
const PAUSE_MS = 100;
const LATENCY_P50_MS = 100;

interface FromBucket {
  readonly name: string;
  readonly what: string;
  readonly sizes: () => number[];
}

export const PULL_CASES: readonly BenchCase[] = [
  fromBucket({ name: 'pull-small', what: '10,000 × 4 KiB', sizes: () => equalSizes(10_000, 4 * KIB) }),
  fromBucket({ name: 'pull-big', what: '1 × 1 GiB', sizes: () => [GIB] }),
  {
    name: 'pull-latency',
    about: 'from a PUT to the durable file, through notification and queue',
    run: measureLatency,
  },
];

function fromBucket(of: FromBucket): BenchCase {
  const about = `${of.what} from a bucket by its events, beside rclone and the AWS CLI`;
  return { name: of.name, about, run: async (bench) => await run(bench, of) };
}

async function run(bench: Bench, of: FromBucket): Promise<void> {
  await inCaseFolder(bench.disk, of.name, async (folder) => {
    await using bucket = await startBucket(bench, folder);
    if (bucket === undefined) throw new Error('there is no S3 server');
    await using sqs = await startSqsServer();
    const data = writeFiles(join(folder, 'root'), of.sizes());
    await fillBucket(bucket, data);
    const competitors: Record<string, Competitor> = {
      isync: isyncPull(bucket, sqs),
      ...(await rcloneDownload(bench, bucket, RCLONE)),
      ...(await awsDownload(bench, bucket, AWS)),
      [DISK]: rawDisk(folder, DISK_AT_ONCE),
    };
    const { isync, ...others } = await contest(bench, folder, data, competitors);
    if (isync === undefined) return;
    bench.report({
      case: of.name,
      measure: `${of.what} from a bucket to disk`,
      unit: 's',
      isync,
      others,
      goals: goalsOf(isync, others),
      note: noteOf({ isync, ...others }, '', 'puller + S3 server'),
    });
  });
}

function goalsOf(isync: Result, { [AWS]: aws, [RCLONE]: rclone }: Readonly<Record<string, Result>>): Goal[] {
  return [
    ...atMost(OF_AWS, AWS, isync, aws),
    ...atMost(OF_RCLONE, RCLONE, isync, rclone),
    ...atMost(AIM_OF_RCLONE, RCLONE, isync, rclone),
  ];
}

async function measureLatency(bench: Bench): Promise<void> {
  await inCaseFolder(bench.disk, 'pull-latency', async (folder) => {
    await using bucket = await startBucket(bench, folder);
    if (bucket === undefined) throw new Error('there is no S3 server');
    await using sqs = await startSqsServer();
    const queue = await sqs.makeQueue();
    await using bridge = await startEventBridge(bucket, queue);
    await bridge.follow(bucket.name);
    const config = await writeConfig(folder, bucket, sqs, queue);
    await using pull = startCli(['pull', '--config', config], { env: bucket.env });
    const visible: number[] = [];
    const stored: number[] = [];
    // The first one waits for the start of the process.
    for (let index = 0; index <= PUTS * bench.runs; index++) {
      const Key = `data/f${index}`;
      const began = performance.now();
      const put = bucket.client
        .send(new PutObjectCommand({ Bucket: bucket.name, Key, Body: Buffer.alloc(4 * KIB, Key) }))
        .then(() => performance.now() - began);
      while (!existsSync(join(folder, 'copy', `f${index}`))) {
        if (pull.over) throw new Error(pull.tail());
        await delay(1);
      }
      const took = performance.now() - began;
      if (index > 0) visible.push(took);
      if (index > 0) stored.push(await put);
      await delay(PAUSE_MS);
    }
    const p50 = quantile(
      visible.toSorted((a, b) => a - b),
      0.5,
    );
    bench.report({
      case: 'pull-latency',
      measure: 'from the start of a PUT of 4 KiB to the file, one at a time',
      unit: 'ms',
      isync: sampleOf(visible),
      others: { 'the PUT itself': sampleOf(stored) },
      goals: [{ text: `p50 ≤ ${LATENCY_P50_MS} ms: ${p50.toFixed(1)}`, met: p50 <= LATENCY_P50_MS }],
    });
  });
}
