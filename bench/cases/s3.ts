import { join } from 'node:path';
import type { Bench, BenchCase, Goal } from '../bench.ts';
import { contest, inCaseFolder, type Competitor, type Result } from '../contest.ts';
import { GIB, KIB, equalSizes, writeFiles } from '../data.ts';
import { atMost } from '../goals.ts';
import { awsCli, isyncToS3, rclone } from '../s3-tools.ts';
import { startBucket } from '../s3-server.ts';
import { noteOf } from './loopback.ts';

const RCLONE = 'rclone copy';
/** What its users are told to take for many small files. */
const RCLONE_WIDE = 'rclone copy --transfers 32';
const AWS = 'aws s3 cp --recursive';

/** One data set from the disk into a bucket of a server on the same machine, without a receiver. */
interface IntoBucket {
  readonly name: string;
  readonly what: string;
  readonly sizes: () => number[];
  readonly rclone: readonly string[];
}

export const S3_CASES: readonly BenchCase[] = [
  intoBucket({
    name: 's3-small',
    what: '10,000 × 4 KiB',
    sizes: () => equalSizes(10_000, 4 * KIB),
    rclone: [RCLONE, RCLONE_WIDE],
  }),
  intoBucket({ name: 's3-big', what: '1 × 2 GiB', sizes: () => [2 * GIB], rclone: [RCLONE] }),
];

function intoBucket(of: IntoBucket): BenchCase {
  const about = `${of.what} into an S3 bucket, beside rclone and the AWS CLI`;
  return { name: of.name, about, run: async (bench) => await run(bench, of) };
}

async function run(bench: Bench, of: IntoBucket): Promise<void> {
  await inCaseFolder(bench.disk, of.name, async (folder) => {
    await using bucket = await startBucket(bench, folder);
    if (bucket === undefined) throw new Error('there is no S3 server');
    const data = writeFiles(join(folder, 'root'), of.sizes());
    const competitors: Record<string, Competitor> = {
      isync: isyncToS3(bucket),
      ...(await rclone(bench, bucket, of.rclone)),
      ...(await awsCli(bench, bucket, AWS)),
    };
    const { isync, ...others } = await contest(bench, folder, data, competitors);
    if (isync === undefined) return;
    bench.report({
      case: of.name,
      measure: `${of.what} from disk into a bucket`,
      unit: 's',
      isync,
      others,
      goals: goalOf(isync, others),
      note: noteOf({ isync, ...others }, '', 'sender + S3 server'),
    });
  });
}

/** Beside the fastest of those that have their defaults, as isync has. */
function goalOf(isync: Result, others: Readonly<Record<string, Result>>): Goal[] {
  const [best] = Object.entries(others)
    .filter(([name]) => name !== RCLONE_WIDE)
    .toSorted(([, a], [, b]) => a.median - b.median);
  return best === undefined ? [] : atMost(1, best[0], isync, best[1]);
}
