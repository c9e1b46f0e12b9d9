import { HeadObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { expect, it } from 'vitest';
import { createS3Client } from '../../src/s3/client.ts';
import { lookAtHead } from '../../src/s3/look.ts';
import { quickHead } from '../../src/s3/quick/head.ts';
import { Bucket } from '../../src/s3/requests.ts';
import { startS3Front } from '../../harness/s3-front.ts';
import { withS3Server } from '../../harness/s3-server.ts';

const KEYS = [
  'k',
  'a//b',
  'two words',
  'a+b',
  'a%2Fb',
  'ä/😀',
  '/leading',
  "it's (1)*!",
  '../up',
  'tail/',
  '~-_.',
  'a?b#c&d=e',
];
const CHECKSUM_MODE = { 'x-amz-checksum-mode': 'ENABLED' };

await withS3Server((server) => {
  const { endpoint, credentials } = server;

  it.each(KEYS)('tells what the SDK tells: %s', async (Key) => {
    const bucket = await server.makeBucket();
    const client = createS3Client({ bucket, endpoint, credentials }, 2);
    await server.client.send(
      new PutObjectCommand({
        Bucket: bucket,
        Key,
        Body: 'bytes',
        ContentType: 'text/x-test',
        ContentEncoding: 'identity',
        ContentLanguage: 'sah',
        ContentDisposition: 'inline',
        CacheControl: 'max-age=7',
        Expires: new Date('2031-05-06T07:08:09Z'),
        Metadata: { mtime: '1.5', 'two-words': 'a  b', latin: 'é' },
        Tagging: 'a=1',
      }),
    );
    const where = { bucket, key: Key };
    const quick = await quickHead(client, where, CHECKSUM_MODE, undefined);
    if (typeof quick !== 'object') throw new Error(`not answered: ${String(quick)}`);
    const told = await client.send(new HeadObjectCommand({ Bucket: bucket, Key, ChecksumMode: 'ENABLED' }));
    const { $metadata: _, ...facts } = quick;
    expect({ ...told, ...facts }).toEqual(told);
    expect(await quickHead(client, { bucket, key: `${Key}x` }, CHECKSUM_MODE, undefined)).toBe('absent');
    client.destroy();
  });

  it('leaves to the SDK what is no plain answer, and stops asking where that is all there is', async () => {
    await using front = await startS3Front(endpoint);
    using bucket = new Bucket({ bucket: await server.makeBucket(), endpoint: front.endpoint, credentials });
    await server.client.send(new PutObjectCommand({ Bucket: bucket.name, Key: 'k', Body: 'bytes' }));
    let refused = 0;
    // As a server does that dislikes how we sign.
    front.refuse = ({ headers }) =>
      'amz-sdk-invocation-id' in headers || ++refused === 0
        ? undefined
        : { status: 403, code: 'SignatureDoesNotMatch' };
    for (let i = 0; i < 12; i++) expect(await lookAtHead(bucket, 'k')).toMatchObject({ size: 5 });
    expect(refused).toBe(8);
    await expect(lookAtHead(bucket, 'none')).rejects.toMatchObject({ cause: { name: 'NotFound' } });
  });

  it('rejects with the reason of a signal, and with what the SDK says of a server that is away', async () => {
    await using front = await startS3Front(endpoint);
    using bucket = new Bucket({ bucket: await server.makeBucket(), endpoint: front.endpoint, credentials });
    const stop = new AbortController();
    const reason = new Error('no longer wanted');
    front.before = async () => stop.abort(reason);
    await expect(lookAtHead(bucket, 'k', { signal: stop.signal })).rejects.toBe(reason);
    front.before = undefined;
    await expect(lookAtHead(bucket, 'none')).rejects.toMatchObject({ cause: { name: 'NotFound' } });
    front.cutAnswer = () => true;
    await expect(lookAtHead(bucket, 'k')).rejects.toMatchObject({ code: 'UNREACHABLE', retryable: true });
  });
});
