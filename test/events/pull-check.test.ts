import { expect, it, onTestFinished } from 'vitest';
import { BucketPool } from '../../src/events/action/bucket-pool.ts';
import { check, type Finding } from '../../src/events/pull/check.ts';
import { startS3Front, type S3Front } from '../../harness/s3-front.ts';
import { withS3Server } from '../../harness/s3-server.ts';

const DENIED = { status: 403, code: 'AccessDenied', message: 'Access Denied' };

await withS3Server((server) => {
  it('tries the rights below each prefix, and says what to grant in words of every partition', async () => {
    const bucket = await server.makeBucket();
    const front = await start();
    front.refuse = ({ url = '' }) => (/list-type/.test(url) || url.includes('/b/') ? DENIED : undefined);
    const findings = await found(front, bucket);
    expect(findings).toMatchObject([
      { name: `bucket ${bucket}`, level: 'warning', hint: `Grant s3:ListBucket on the bucket ${bucket}.` },
      { name: `missing key in ${bucket}/a/`, level: 'ok' },
      { name: `missing key in ${bucket}/b/`, level: 'warning' },
    ]);
    expect(JSON.stringify(findings)).not.toContain('arn:');
  });

  it('does not ask for rights on a bucket that is not there', async () => {
    const [listing, missing] = await found(await start(), 'no-such-bucket-anywhere');
    expect(listing?.hint).toContain('correct its name');
    expect(missing).toMatchObject({ level: 'fault', hint: listing?.hint });
  });

  async function start(): Promise<S3Front> {
    const front = await startS3Front(server.endpoint);
    onTestFinished(async () => await front[Symbol.asyncDispose]());
    return front;
  }

  /** What is found of the bucket. */
  async function found({ endpoint }: S3Front, bucket: string): Promise<readonly Finding[]> {
    using pool = new BucketPool({ endpoint, credentials: server.credentials });
    const findings: Finding[] = [];
    for await (const finding of check({
      queue: async () => ({
        where: 'q',
        visibilitySeconds: 30,
        isFifo: false,
        maxDeliveries: undefined,
        hasReceived: true,
      }),
      pool,
      buckets: [bucket],
      prefixes: ['a/', 'b/'],
      folders: async () => [],
      minFreeBytes: 0,
      unmatched: 'discard',
      requests: {},
    }))
      findings.push(finding);
    return findings.filter(({ name }) => name.includes(bucket));
  }
});
