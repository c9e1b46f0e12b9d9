import { DeleteBucketCommand, PutBucketPolicyCommand } from '@aws-sdk/client-s3';
import { describe, expect, test } from 'vitest';
import { cephRecord } from '../../harness/ceph-record.ts';
import { failureOf, startPullStage, textsBelow, type PullStage } from '../../harness/pull-stage.ts';
import { type Refusal, startS3Front, type S3Front } from '../../harness/s3-front.ts';
import { releasedThrough } from '../../harness/sqs-proxy.ts';
import { withS3Server, type S3Server } from '../../harness/s3-server.ts';

/** Files of the machine when its bucket comes to grief. */
const KEYS = Array.from({ length: 40 }, (_, index) => `${['a', 'a/deep', 'b'][index % 3]}/f${index}`);
/** Visibility timeout of the queue, which no delay of a release is. */
const HELD_S = 31;
const HTML = { 'content-type': 'text/html' };
const PAGE = '<!DOCTYPE html><html><head><title>404</title></head><body><h1>Not Found</h1></body></html>';

interface Trouble {
  /** What has happened to the bucket. */
  readonly what: string;
  readonly happen: (stage: PullStage, front: S3Front, server: S3Server) => Promise<void>;
  /** Whether the messages wait for better times, or are parked because no waiting mends it. */
  readonly ends: 'released' | 'parked';
}

const TROUBLES: readonly Trouble[] = [
  {
    what: 'deleted',
    ends: 'released',
    happen: async ({ remove, bucket, bridge }, _front, { client }) => {
      bridge.losesAll = true;
      for (const key of KEYS) await remove(key);
      await client.send(new DeleteBucketCommand({ Bucket: bucket }));
    },
  },
  {
    what: 'renamed, and the config names the new one',
    ends: 'parked',
    happen: async ({ configure }) => await configure({ buckets: ['the-new-name'] }),
  },
  {
    what: 'forbidden by a policy',
    ends: 'parked',
    happen: async ({ bucket }, _front, { client }) => {
      const Policy = JSON.stringify({
        Version: '2012-10-17',
        Statement: [
          {
            Effect: 'Deny',
            Principal: '*',
            Action: 's3:*',
            Resource: [`arn:aws:s3:::${bucket}`, `arn:aws:s3:::${bucket}/*`],
          },
        ],
      });
      await client.send(new PutBucketPolicyCommand({ Bucket: bucket, Policy }));
    },
  },
  answering('hidden behind a 404 page', { status: 404, code: '', body: PAGE, headers: HTML }),
  answering('hidden behind a bare 404', { status: 404, code: '', body: '' }),
  answering('hidden behind a page that calls itself a success', {
    status: 200,
    code: '',
    body: PAGE,
    headers: HTML,
  }),
  answering('hidden behind a 403 page', { status: 403, code: '', body: PAGE, headers: HTML }),
  answering('hidden behind a 410 page', { status: 410, code: '', body: PAGE, headers: HTML }),
  answering('gone, as the server says', { status: 404, code: 'NoSuchBucket' }),
  answering('forbidden, as the server says', { status: 403, code: 'AccessDenied' }, 'parked'),
  answering('of somebody with keys that are no good any more', { status: 403, code: 'InvalidAccessKeyId' }),
  answering('on a server that is broken', { status: 500, code: 'InternalError' }),
];

function answering(what: string, refusal: Refusal, ends: Trouble['ends'] = 'released'): Trouble {
  return {
    what,
    ends,
    happen: (_stage, front) => {
      front.refuse = () => refusal;
      return Promise.resolve();
    },
  };
}

await withS3Server((server) => {
  describe.concurrent.each(TROUBLES)('a bucket that is $what', ({ happen, ends }) => {
    test('costs not one local file, whatever events and comparisons say', async () => {
      await using front = await startS3Front(server.endpoint);
      await using stage = await startPullStage(server, {
        endpoint: front.endpoint,
        attributes: { VisibilityTimeout: String(HELD_S) },
      });
      for (const key of KEYS) await stage.put(key, `content of ${key}`);
      await stage.bridge.flush();
      const first = await stage.once();
      expect(failureOf(first)).toBe('');
      const before = await filesOf(stage);
      expect(Object.keys(before)).toHaveLength(KEYS.length);

      await happen(stage, front, server);
      await stage.queue.send(KEYS.flatMap((key) => [told('Created:Put', key), told('Removed:Delete', key)]));
      await using pull = stage.start(['--resync']);
      const dealtWith = () => stage.acknowledged() - KEYS.length + releasedThrough(stage.proxy, HELD_S).size;
      await pull.until('all messages to be dealt with', () => dealtWith() >= KEYS.length * 2);
      await pull.stop('SIGTERM');
      expect(await filesOf(stage)).toEqual(before);
      // The queue is told that a message is done only where its record stands parked.
      const done = stage.acknowledged() - KEYS.length;
      const parked = (await stage.parked('list')).stdout.split('\n').filter(Boolean);
      const all = ends === 'parked' ? KEYS.length * 2 : 0;
      expect({ done, parked: parked.length }).toEqual({ done: all, parked: all });

      const compared = await stage.once(['--resync']);
      expect(await filesOf(stage)).toEqual(before);
      expect(compared.exitCode).not.toBe(0);

      function told(event: string, key: string): string {
        return cephRecord({ event: `Object${event}`, bucket: stage.bucket, key });
      }
    });
  });

  test('a bucket that is suddenly empty costs no more than maxDelete allows', async () => {
    await using stage = await startPullStage(server);
    for (const key of KEYS) await stage.put(key, `content of ${key}`);
    expect((await stage.once()).exitCode).toBe(0);
    const before = await filesOf(stage);
    for (const key of KEYS) await stage.remove(key);
    // The events of it are lost.
    await stage.configure({ queue: (await stage.sqs.makeQueue()).name });
    const compared = await stage.once(['--resync']);
    expect(compared.exitCode).toBe(1);
    expect(compared.stderr).toContain('RESYNC_STOPPED');
    expect(await filesOf(stage)).toEqual(before);
  });
});

async function filesOf({ at }: PullStage): Promise<Record<string, string>> {
  const [a, deep, b] = await Promise.all([textsBelow(at('a')), textsBelow(at('deep')), textsBelow(at('b'))]);
  const named = (texts: Record<string, string>, folder: string) =>
    Object.entries(texts).map(([path, text]) => [`${folder}/${path}`, text] as const);
  return Object.fromEntries([...named(a, 'a'), ...named(deep, 'deep'), ...named(b, 'b')]);
}
