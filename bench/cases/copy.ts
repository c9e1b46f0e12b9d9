import { mkdtemp } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { CreateBucketCommand } from '@aws-sdk/client-s3';
import { cephRecord } from '../../harness/ceph-record.ts';
import { startCli } from '../../harness/cli.ts';
import { filesBelow } from '../../harness/data-tree.ts';
import type { CliProcess } from '../../harness/process.ts';
import type { Bench, BenchCase } from '../bench.ts';
import { timed } from '../competitors.ts';
import { contest, inCaseFolder, type Competitor, type Took } from '../contest.ts';
import { equalSizes, KIB, writeFiles } from '../data.ts';
import { atMost } from '../goals.ts';
import { runProgram } from '../process.ts';
import { fillBucket } from '../pull-tools.ts';
import { checkObjects, startBucket, type BenchBucket } from '../s3-server.ts';
import { findTool, rcloneEnvironment } from '../s3-tools.ts';
import { noteOf } from './loopback.ts';

const RCLONE = 'rclone copy --transfers 32';
const OF_RCLONE = 1.5;
/** What is aimed at. */
const AIM_OF_RCLONE = 1;
/** Below it are the keys of all objects. */
const FOLDER = 'data';
const POSTS_AT_ONCE = 16;
/** For all to be copied, in ms: only a fault, or a machine that does much else, takes as long. */
const PATIENCE_MS = 20 * 60_000;

export const COPY_CASES: readonly BenchCase[] = [
  { name: 'copy-small', about: '10,000 × 4 KiB from bucket to bucket by their events, beside rclone', run },
];

async function run(bench: Bench): Promise<void> {
  await inCaseFolder(bench.disk, 'copy-small', async (folder) => {
    await using bucket = await startBucket(bench, folder);
    if (bucket === undefined) throw new Error('there is no S3 server');
    const target = `${bucket.name}-copy`;
    await bucket.client.send(new CreateBucketCommand({ Bucket: target }));
    const data = writeFiles(join(folder, 'root'), equalSizes(Number(process.env['N'] ?? 10_000), 4 * KIB));
    await fillBucket(bucket, data);
    const checked = (prefix: string): Pick<Took, 'same' | 'check'> => ({
      same: true,
      check: async (thorough) =>
        await checkObjects(bucket.client, target, data, `${prefix}/${FOLDER}`, thorough),
    });
    const competitors: Record<string, Competitor> = {
      isync: isyncCopy(bucket, target, checked),
      ...(await rcloneCopy(bench, bucket, target, checked)),
    };
    const { isync, ...others } = await contest(bench, folder, data, competitors);
    if (isync === undefined) return;
    const rclone = others[RCLONE];
    bench.report({
      case: 'copy-small',
      measure: '10,000 × 4 KiB from bucket to bucket',
      unit: 's',
      isync,
      others,
      goals: [...atMost(OF_RCLONE, RCLONE, isync, rclone), ...atMost(AIM_OF_RCLONE, RCLONE, isync, rclone)],
      note: noteOf({ isync, ...others }, '', 'worker + S3 server'),
    });
  });
}

type Checked = (prefix: string) => Pick<Took, 'same' | 'check'>;

/** A worker on a queue that has an event for each object, from its start until the last one is copied. */
function isyncCopy(bucket: BenchBucket, target: string, checked: Checked): Competitor {
  return {
    async run(data, store) {
      const state = await mkdtemp(join(store, 'state-'));
      const paths = [...(await filesBelow(data.root)).keys()];
      await fillQueue(
        state,
        paths.map((path) =>
          cephRecord({ event: 'ObjectCreated:Put', bucket: bucket.name, key: `${FOLDER}/${path}` }),
        ),
      );
      const prefix = basename(store);
      const ways = ['--source-endpoint', bucket.endpoint, '--target-endpoint', bucket.endpoint];
      const args = [
        'webhook',
        '--role',
        'work',
        '--state',
        state,
        '--json',
        '--status',
        '127.0.0.1:0',
        ...ways,
      ];
      let seconds = NaN;
      const took = await timed(
        () => bucket.cpu(),
        async () => {
          const started = performance.now();
          await using worker = startCli([...args, '--to', `s3://${target}/${prefix}`], { env: bucket.env });
          await worker.until(
            'all to be copied',
            async () => (await doneBy(worker)) >= paths.length,
            PATIENCE_MS,
          );
          seconds = (performance.now() - started) / 1000;
          const { exitCode, stderr } = await worker.stop('SIGTERM');
          if (exitCode !== 0) throw new Error(`isync webhook ended with ${exitCode}: ${stderr.slice(-2000)}`);
          return checked(prefix);
        },
      );
      return { ...took, seconds };
    },
  };
}

async function fillQueue(state: string, bodies: readonly string[]): Promise<void> {
  await using receiver = startCli([
    'webhook',
    '--role',
    'receive',
    '--port',
    '0',
    '--state',
    state,
    '--json',
  ]);
  const url = await receiver.until('it to listen', () => /"url":"([^"]+)"/.exec(receiver.stdout)?.[1]);
  const left = [...bodies];
  const post = async (): Promise<void> => {
    for (let body = left.pop(); body !== undefined; body = left.pop()) {
      const { status } = await fetch(url, { method: 'POST', body });
      if (status !== 200) throw new Error(`an event was answered with ${status}`);
    }
  };
  await Promise.all(Array.from({ length: POSTS_AT_ONCE }, post));
}

/** Events that a worker has done, as its metrics tell. */
async function doneBy({ stdout }: CliProcess): Promise<number> {
  const url = /"status":"([^"]+)"/.exec(stdout)?.[1];
  if (url === undefined) return 0;
  const metrics = await (await fetch(`${url}/metrics`)).text();
  const lines = metrics.matchAll(/^isync_events_done_total\{.*\} (\d+)$/gm);
  return [...lines].reduce((sum, [, count]) => sum + Number(count), 0);
}

async function rcloneCopy(
  bench: Bench,
  bucket: BenchBucket,
  target: string,
  checked: Checked,
): Promise<Record<string, Competitor>> {
  const found = await findTool(bench, 'rclone', ['version']);
  if (found === undefined) return {};
  const flags = RCLONE.split(' ').slice(1);
  return {
    [RCLONE]: {
      run: async (_data, store) =>
        await timed(
          () => bucket.cpu(),
          async () => {
            const prefix = basename(store);
            const [from, to] = [`${bucket.name}/${FOLDER}`, `${target}/${prefix}/${FOLDER}`];
            await runProgram(found, [...flags, `bench:${from}`, `bench:${to}`], rcloneEnvironment(bucket));
            return checked(prefix);
          },
        ),
    },
  };
}
