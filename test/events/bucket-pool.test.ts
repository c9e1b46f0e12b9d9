import { PutObjectCommand } from '@aws-sdk/client-s3';
import { expect, it, onTestFinished } from 'vitest';
import { BucketPool } from '../../src/events/action/bucket-pool.ts';
import { lookAtObject } from '../../src/s3/look.ts';
import { startS3Front } from '../../harness/s3-front.ts';
import { withS3Server } from '../../harness/s3-server.ts';

/** The region that a request is signed for. */
const SCOPE = /Credential=[^/]+\/\d+\/([^/]+)\/s3/;

await withS3Server((server) => {
  it('follows buckets to their regions, and remembers them', async () => {
    await using front = await startS3Front(server.endpoint);
    const name = await server.makeBucket();
    await server.client.send(new PutObjectCommand({ Bucket: name, Key: 'k', Body: 'bytes' }));
    // AWS, as far as the pool knows.
    process.env['AWS_ENDPOINT_URL_S3'] = front.endpoint;
    onTestFinished(() => void delete process.env['AWS_ENDPOINT_URL_S3']);
    const regions: (string | undefined)[] = [];
    front.refuse = ({ headers }) => {
      const region = SCOPE.exec(headers.authorization ?? '')?.[1];
      regions.push(region);
      if (region === 'cn-northwest-1') return undefined;
      return { status: 301, code: 'PermanentRedirect', headers: { 'x-amz-bucket-region': 'cn-northwest-1' } };
    };
    const { credentials } = server;
    using pool = new BucketPool({ credentials, pathStyle: true, region: 'eu-west-3' });
    const look = async (hint?: string) =>
      await pool.use(name, hint, (bucket) =>
        lookAtObject(bucket, 'k', { ifNoneMatch: '4b3a6218bb3e3a7303e8a171a60fcf92' }),
      );
    await look();
    await look('us-east-1');
    expect(regions).toEqual(['eu-west-3', 'cn-northwest-1', 'cn-northwest-1']);
    regions.length = 0;
    using other = new BucketPool({ credentials, pathStyle: true });
    await other.use(name, 'ap-east-1', (bucket) => lookAtObject(bucket, 'k'));
    expect(regions).toEqual(['ap-east-1', 'cn-northwest-1']);
  });

  it('has one server where it is given an endpoint', async () => {
    await using front = await startS3Front(server.endpoint);
    const headers = { 'x-amz-bucket-region': 'eu-west-3' };
    front.refuse = () => ({ status: 301, code: 'PermanentRedirect', headers });
    using pool = new BucketPool({ credentials: server.credentials, endpoint: front.endpoint });
    const looked = pool.use('bucket', 'eu-west-3', (bucket) => lookAtObject(bucket, 'k'));
    await expect(looked).rejects.toMatchObject({ code: 'STORE_MISSING' });
    expect(front.refused).toBe(1);
  });

  it.each(['arn:aws:s3:eu-west-3:1:accesspoint/x', '../x', '', 'a/b', 'a?b'])(
    'takes no %j for a bucket',
    async (name) => {
      using pool = new BucketPool({ credentials: server.credentials, endpoint: server.endpoint });
      await expect(pool.use(name, undefined, async () => {})).rejects.toMatchObject({ code: 'BAD_PATH' });
    },
  );
});
