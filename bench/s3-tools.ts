import { basename, join } from 'node:path';
import { scanOnce } from '../harness/cli.ts';
import type { Bench } from './bench.ts';
import { timed } from './competitors.ts';
import type { Competitor } from './contest.ts';
import { runProgram } from './process.ts';
import type { BenchBucket } from './s3-server.ts';

const DEVICE = 'edge1';
/** Where a distribution has its packages; then wherever `PATH` says: other installations shadow it there, not all of them run. */
const PACKAGED = '/usr/bin';

/** isync without a receiver, its defaults, and a prefix of its own for each run. */
export function isyncToS3(bucket: BenchBucket): Competitor {
  return {
    run: async (data, store) => {
      const prefix = basename(store);
      return await timed(
        () => bucket.cpu(),
        async () => {
          const { exitCode, stderr, summary } = await scanOnce(data.root, {
            to: `s3://${bucket.name}/${prefix}`,
            device: DEVICE,
            args: ['--s3-endpoint', bucket.endpoint],
            env: bucket.env,
          });
          if (exitCode !== 0 || !summary.directories.every(({ sealed }) => sealed))
            throw new Error(`isync scan ended with ${exitCode}: ${stderr.slice(-2000)}`);
          const check = async (thorough: boolean): Promise<void> =>
            await bucket.check(data, `${prefix}/${DEVICE}`, thorough);
          return { same: true, check };
        },
      );
    },
  };
}

/** `rclone copy`, by name of its row with these further flags. */
export async function rclone(
  bench: Bench,
  bucket: BenchBucket,
  variants: readonly string[],
): Promise<Record<string, Competitor>> {
  const found = await findTool(bench, 'rclone', ['version']);
  if (found === undefined) return {};
  const env = rcloneEnvironment(bucket);
  const competitor = (flags: readonly string[]): Competitor =>
    tool(bucket, async (root, prefix) => {
      await runProgram(found, [...flags, root, `bench:${bucket.name}/${prefix}`], env);
    });
  return Object.fromEntries(variants.map((variant) => [variant, competitor(variant.split(' ').slice(1))]));
}

/** With which rclone knows the bucket's server as `bench:`. */
export function rcloneEnvironment({ env, endpoint }: BenchBucket): Record<string, string> {
  return {
    ...env,
    RCLONE_CONFIG: '/dev/null',
    RCLONE_CONFIG_BENCH_TYPE: 's3',
    RCLONE_CONFIG_BENCH_PROVIDER: 'Ceph',
    RCLONE_CONFIG_BENCH_ENV_AUTH: 'true',
    RCLONE_CONFIG_BENCH_ENDPOINT: endpoint,
  };
}

/** `aws s3 cp --recursive`. */
export async function awsCli(
  bench: Bench,
  bucket: BenchBucket,
  name: string,
): Promise<Record<string, Competitor>> {
  const found = await findTool(bench, 'aws', ['--version']);
  if (found === undefined) return {};
  const args = ['--endpoint-url', bucket.endpoint, 's3', 'cp', '--recursive', '--only-show-errors'];
  const copy = async (root: string, prefix: string): Promise<void> => {
    await runProgram(found, [...args, root, `s3://${bucket.name}/${prefix}`], bucket.env);
  };
  return { [name]: tool(bucket, copy) };
}

function tool(bucket: BenchBucket, copy: (root: string, prefix: string) => Promise<void>): Competitor {
  return {
    run: async (data, store) => {
      const prefix = basename(store);
      return await timed(
        () => bucket.cpu(),
        async () => {
          await copy(data.root, prefix);
          return { check: async (thorough) => await bucket.check(data, prefix, thorough) };
        },
      );
    },
  };
}

/** The first one that runs; undefined, and said so, where none does. */
export async function findTool(
  bench: Bench,
  command: string,
  ask: readonly string[],
): Promise<string | undefined> {
  for (const candidate of [join(PACKAGED, command), command]) {
    const ended = await runProgram(candidate, ask).catch(() => undefined);
    if (ended === undefined) continue;
    bench.say(`  ${candidate}: ${ended.stdout.split('\n')[0]}`);
    return candidate;
  }
  bench.say(`!!! ${command.toUpperCase()} IS NOT INSTALLED: nothing is compared with it`);
  return undefined;
}
