import { join } from 'node:path';
import { PutBucketPolicyCommand } from '@aws-sdk/client-s3';
import { startSqsServer } from '../../harness/sqs-server.ts';
import type { Bench, BenchCase } from '../bench.ts';
import { contest, inCaseFolder } from '../contest.ts';
import { equalSizes, KIB, writeFiles } from '../data.ts';
import { atMost } from '../goals.ts';
import { createdMessage, fillBucket, isyncPull, PREFIX, pullBeside } from '../pull-tools.ts';
import { startBucket, type BenchBucket } from '../s3-server.ts';
import { noteOf } from './loopback.ts';

const GOOD = 9_000;
const POISON = 1_000;
/** Of the throughput without the poison. */
const LEAST_SHARE = 0.8;
const WITHOUT = 'without them';
/** Below it nothing may be read. */
const FORBIDDEN = `${PREFIX}forbidden/`;

export const PULL_POISON_CASES: readonly BenchCase[] = [
  {
    name: 'pull-poison',
    about: `${GOOD} × 4 KiB by their events, beside ${POISON} messages that lead to nothing`,
    run: measure,
  },
];

async function measure(bench: Bench): Promise<void> {
  await inCaseFolder(bench.disk, 'pull-poison', async (folder) => {
    await using bucket = await startBucket(bench, folder);
    if (bucket === undefined) throw new Error('there is no S3 server');
    await using sqs = await startSqsServer();
    const data = writeFiles(join(folder, 'root'), equalSizes(GOOD, 4 * KIB));
    await fillBucket(bucket, data);
    await forbid(bucket);
    const results = await contest(bench, folder, data, {
      isync: pullBeside(poisonFor(bucket), bucket, sqs),
      [WITHOUT]: isyncPull(bucket, sqs),
    });
    const { isync, ...others } = results;
    if (isync === undefined) return;
    bench.report({
      case: 'pull-poison',
      measure: `${GOOD} × 4 KiB from a bucket to disk, among ${POISON} poisonous messages`,
      unit: 's',
      isync,
      others,
      goals: atMost(1 / LEAST_SHARE, WITHOUT, isync, others[WITHOUT]),
      note: noteOf(results, '', 'puller + S3 server'),
    });
  });
}

/** Of each kind as many: no event, one without a bucket, an unsafe key, another bucket, a key that may not be read. */
function poisonFor(bucket: BenchBucket): readonly string[] {
  const kinds: readonly ((index: number) => string)[] = [
    (index) => `this is no event: ${index}`,
    (index) => `{"Records":[{"eventSource":"ceph:s3","eventName":"ObjectCreated:Put","n":${index}}]}`,
    (index) => createdMessage(bucket, `${PREFIX}../../etc/${index}`),
    (index) => createdMessage({ name: 'none-of-ours' }, `${PREFIX}${index}`),
    (index) => createdMessage(bucket, `${FORBIDDEN}${index}`),
  ];
  return Array.from({ length: POISON }, (_, index) => kinds[index % kinds.length]?.(index) ?? '');
}

async function forbid({ client, name }: BenchBucket): Promise<void> {
  const Policy = JSON.stringify({
    Version: '2012-10-17',
    Statement: [
      {
        Effect: 'Deny',
        Principal: '*',
        Action: 's3:GetObject',
        Resource: [`arn:aws:s3:::${name}/${FORBIDDEN}*`],
      },
    ],
  });
  await client.send(new PutBucketPolicyCommand({ Bucket: name, Policy }));
}
