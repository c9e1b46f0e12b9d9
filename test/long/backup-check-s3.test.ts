import { randomBytes } from 'node:crypto';
import { CreateBucketCommand, ListObjectVersionsCommand, PutBucketPolicyCommand } from '@aws-sdk/client-s3';
import { describe, expect, it } from 'vitest';
import { faultyProxy } from '../../harness/faulty-proxy.ts';
import type { S3Credentials } from '../../harness/s3-access.ts';
import { withS3Server } from '../../harness/s3-server.ts';
import { checkPermissions, type CheckResult } from '../../src/backup/check/permissions.ts';
import { fastestFirst, healthOf } from '../../src/backup/check/store-health.ts';
import type { JobTarget } from '../../src/backup/job.ts';
import { openTarget } from '../../src/backup/target/open-target.ts';

type S3Target = Extract<JobTarget, { readonly kind: 's3' }>;

const { signal } = new AbortController();
const TAGS = { env: 'production' };

function outcomes(results: readonly CheckResult[]): Record<string, string> {
  return Object.fromEntries(
    results.map(({ thing, outcome, error }) => [thing, error === undefined ? outcome : error.code]),
  );
}

await withS3Server((server) => {
  const targetOf = (
    bucket: string,
    settings: Partial<S3Target> = {},
    { accessKeyId, secretAccessKey }: S3Credentials = server.credentials,
  ): S3Target => ({
    kind: 's3',
    bucket,
    prefix: 'kept',
    endpoints: [server.endpoint],
    region: undefined,
    pathStyle: undefined,
    profile: undefined,
    credentials: { accessKeyId, secretAccessKey, sessionToken: undefined },
    ca: undefined,
    storageClass: undefined,
    sse: undefined,
    sseKmsKeyId: undefined,
    lock: undefined,
    ...settings,
  });
  const allow = async (Bucket: string, actions: readonly string[]): Promise<void> => {
    const statement = {
      Effect: 'Allow',
      Principal: '*',
      Action: actions,
      Resource: [`arn:aws:s3:::${Bucket}`, `arn:aws:s3:::${Bucket}/*`],
    };
    const Policy = JSON.stringify({ Version: '2012-10-17', Statement: [statement] });
    await server.client.send(new PutBucketPolicyCommand({ Bucket, Policy }));
  };

  describe('a check of a bucket', () => {
    it('finds that its owner may do all, and leaves nothing', async () => {
      const Bucket = await server.makeBucket();
      await using target = openTarget(targetOf(Bucket), 'app');
      const found = await checkPermissions(target, { tags: TAGS, signal });
      expect(new Set(Object.values(outcomes(found)))).toEqual(new Set(['ok']));
      const { Versions = [] } = await server.client.send(new ListObjectVersionsCommand({ Bucket }));
      expect(Versions).toEqual([]);
      for await (const upload of target.uploads()) expect(upload).toBeUndefined();
    });

    it('names what a policy must allow: that is enough for runs, and no right to remove', async (context) => {
      const stranger = await server.stranger();
      if (stranger === undefined) return context.skip();
      const Bucket = await server.makeBucket();
      await using target = openTarget(targetOf(Bucket, {}, stranger), 'app');
      const refused = await checkPermissions(target, { tags: TAGS, signal });
      expect(outcomes(refused)).toMatchObject({
        list: 'STORE_REFUSED',
        upload: 'STORE_REFUSED',
        read: 'skipped',
      });
      const needed = [
        's3:ListBucket',
        's3:ListBucketMultipartUploads',
        's3:PutObject',
        's3:PutObjectTagging',
        's3:ListMultipartUploadParts',
        's3:GetObject',
        's3:AbortMultipartUpload',
      ];
      await allow(Bucket, needed);
      const found = await checkPermissions(target, { tags: TAGS, signal });
      const named = found.filter(({ neededBy }) => neededBy === 'run').flatMap(({ actions }) => actions);
      expect(new Set(named)).toEqual(new Set(needed));
      expect(outcomes(found)).toMatchObject({
        list: 'ok',
        uploads: 'ok',
        upload: 'ok',
        tags: 'ok',
        parts: 'ok',
        read: 'ok',
        abort: 'ok',
        remove: 'STORE_REFUSED',
      });
    });

    it('finds that a lock holds, and leaves nothing behind it', async () => {
      const Bucket = `isync-test-${randomBytes(6).toString('hex')}`;
      await server.client.send(new CreateBucketCommand({ Bucket, ObjectLockEnabledForBucket: true }));
      await using target = openTarget(targetOf(Bucket, { lock: { mode: 'governance', days: 30 } }), 'app');
      const found = await checkPermissions(target, { tags: {}, signal });
      expect(outcomes(found)).toMatchObject({ lock: 'ok', remove: 'ok' });
      const { Versions = [] } = await server.client.send(new ListObjectVersionsCommand({ Bucket }));
      expect(Versions).toEqual([]);
    });

    it('finds that a bucket without Object Lock has no locks', async () => {
      const lock = { mode: 'governance', days: 30 } as const;
      await using target = openTarget(targetOf(await server.makeBucket(), { lock }), 'app');
      const found = await checkPermissions(target, { tags: {}, signal });
      expect(found.find(({ thing }) => thing === 'lock')).toMatchObject({ outcome: 'failed' });
      expect(outcomes(found)['remove']).toBe('ok');
    });
  });

  describe('the health of a bucket', () => {
    it('prefers the faster of its servers', async () => {
      const { hostname, port } = new URL(server.endpoint);
      expect(hostname).toMatch(/^(127\.0\.0\.1|localhost)$/);
      await using slow = await faultyProxy(Number(port));
      slow.delayMs = 300;
      const endpoints = [`http://127.0.0.1:${slow.port}`, server.endpoint];
      const target = targetOf(await server.makeBucket(), { endpoints });
      const health = await healthOf(target, 'app', { samples: 4, signal });
      expect(health.endpoints.map(({ isUp }) => isUp)).toEqual([true, true]);
      expect(fastestFirst(target, health)).toEqual({ ...target, endpoints: endpoints.toReversed() });
    });

    it('is bad with keys that the server does not know', async () => {
      const wrong = { accessKeyId: 'nobody', secretAccessKey: 'nothing' };
      const refused = await healthOf(targetOf(await server.makeBucket(), {}, wrong), 'app', {
        samples: 1,
        signal,
      });
      expect(refused.endpoints[0]).toMatchObject({ isUp: false, fault: { code: 'STORE_REFUSED' } });
    });
  });
});
