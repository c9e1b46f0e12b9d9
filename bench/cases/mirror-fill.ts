import { mkdtemp, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { runCli } from '../../harness/cli.ts';
import { filesBelow } from '../../harness/data-tree.ts';
import type { Bench, BenchCase } from '../bench.ts';
import { BEFORE, timed } from '../competitors.ts';
import { contest, inCaseFolder, type Competitor } from '../contest.ts';
import { equalSizes, KIB, writeFiles, type DataSet } from '../data.ts';
import { atMost, MOST_AFTER } from '../goals.ts';
import { findNginx, startFiles, type Nginx } from '../nginx.ts';
import { runProgram } from '../process.ts';
import { startBucket, type BenchBucket } from '../s3-server.ts';
import { findTool, rcloneEnvironment } from '../s3-tools.ts';
import { noteOf } from './loopback.ts';

const RCLONE = 'rclone copy';
/** What its users are told to take for many small files. */
const RCLONE_WIDE = 'rclone copy --transfers 32';
const OF_RCLONE = 1.2;
const MARKER = '/finished.watch';

export const MIRROR_FILL_CASES: readonly BenchCase[] = [
  { name: 'mirror-fill', about: '10,000 × 50 KiB from a web server into a bucket, beside rclone', run },
];

async function run(bench: Bench): Promise<void> {
  const nginx = await findNginx(bench);
  if (nginx === undefined) throw new Error('there is no web server to fill from');
  await inCaseFolder(bench.disk, 'mirror-fill', async (folder) => {
    await using bucket = await startBucket(bench, folder);
    if (bucket === undefined) throw new Error('there is no S3 server');
    const data = writeFiles(join(folder, 'root'), equalSizes(10_000, 50 * KIB));
    await using origin = await startFiles(nginx, folder, data.root);
    const competitors: Record<string, Competitor> = {
      isync: isyncFill(bucket, origin),
      ...(bench.before !== undefined && { [BEFORE]: isyncFill(bucket, origin, bench.before) }),
      ...(await rcloneFill(bench, bucket, origin)),
    };
    const { isync, ...others } = await contest(bench, folder, data, competitors);
    if (isync === undefined) return;
    bench.report({
      case: 'mirror-fill',
      measure: '10,000 × 50 KiB from nginx into a bucket',
      unit: 's',
      isync,
      others,
      goals: [
        ...atMost(OF_RCLONE, RCLONE, isync, others[RCLONE]),
        ...atMost(MOST_AFTER, BEFORE, isync, others[BEFORE]),
      ],
      note: noteOf({ isync, ...others }, '', 'filler + origin and S3 server'),
    });
  });
}

/** `isync mirror fill` of a list of all keys; every option at its default. */
function isyncFill(bucket: BenchBucket, origin: Nginx, main?: string): Competitor {
  return {
    run: async (data, store) => {
      const prefix = basename(store);
      const folder = await mkdtemp(join(store, 'fill-'));
      const [config, list] = [join(folder, 'mirror.yaml'), join(folder, 'list.txt')];
      const rule = { origins: [`http://127.0.0.1:${origin.port}/`], allowPrivate: true };
      await writeFile(
        config,
        JSON.stringify({
          bucket: `s3://${bucket.name}/${prefix}`,
          s3Endpoint: bucket.endpoint,
          rules: [rule],
        }),
      );
      const paths = [...(await filesBelow(data.root)).keys()].filter((path) => !path.endsWith(MARKER));
      await writeFile(list, `${paths.join('\n')}\n`);
      return await timed(cpuOfBoth(bucket, origin), async () => {
        const args = ['mirror', 'fill', '--config', config, '--list', list];
        const { exitCode, stderr } = await runCli(args, { env: bucket.env, main });
        if (exitCode !== 0)
          throw new Error(`isync mirror fill ended with ${exitCode}: ${stderr.slice(-2000)}`);
        return { same: true, check: checkOf(bucket, data, prefix) };
      });
    },
  };
}

async function rcloneFill(
  bench: Bench,
  bucket: BenchBucket,
  origin: Nginx,
): Promise<Record<string, Competitor>> {
  const found = await findTool(bench, 'rclone', ['version']);
  if (found === undefined) return {};
  const from = ['--http-url', `http://127.0.0.1:${origin.port}/`, ':http:'];
  const competitor = (flags: readonly string[]): Competitor => ({
    run: async (data, store) => {
      const prefix = basename(store);
      return await timed(cpuOfBoth(bucket, origin), async () => {
        const args = [...flags, ...from, `bench:${bucket.name}/${prefix}`];
        await runProgram(found, args, rcloneEnvironment(bucket));
        return { same: true, check: checkOf(bucket, data, prefix) };
      });
    },
  });
  return Object.fromEntries(
    [RCLONE, RCLONE_WIDE].map((variant) => [variant, competitor(variant.split(' ').slice(1))]),
  );
}

function cpuOfBoth(bucket: BenchBucket, origin: Nginx): () => number {
  return () => bucket.cpu() + origin.cpu();
}

function checkOf(bucket: BenchBucket, data: DataSet, prefix: string): (thorough: boolean) => Promise<void> {
  return async (thorough) => await bucket.check(data, prefix, thorough);
}
