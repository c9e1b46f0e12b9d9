import { createHash, randomBytes } from 'node:crypto';
import {
  CreateBucketCommand,
  GetObjectTaggingCommand,
  HeadObjectCommand,
  ListObjectVersionsCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
} from '@aws-sdk/client-s3';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { openTarget } from '../../src/backup/target/open-target.ts';
import type { BackupTarget } from '../../src/backup/target/target.ts';
import type { JobTarget } from '../../src/backup/job.ts';
import { attempting } from '../../src/backup/upload/attempts.ts';
import { freePort } from '../../harness/free-port.ts';
import { startS3Front } from '../../harness/s3-front.ts';
import { withS3Server } from '../../harness/s3-server.ts';
import { RecordingLog } from '../recording-log.ts';
import { backupTargetSuite } from '../suites/backup-target.ts';
import { UploadStage } from '../backup/upload-stage.ts';

const KEY = 'app_full_20250405T120000Z_001.tar';

function partOf(number: number, bytes: Uint8Array) {
  return { number, bytes, md5: createHash('md5').update(bytes).digest('base64') };
}

await withS3Server((server) => {
  const { client } = server;
  const targetOf = (
    bucket: string,
    settings: Partial<Extract<JobTarget, { readonly kind: 's3' }>> = {},
  ): BackupTarget => {
    const { accessKeyId, secretAccessKey } = server.credentials;
    const target = {
      kind: 's3',
      bucket,
      prefix: 'kept/here',
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
    } as const;
    return openTarget(target, 'app');
  };
  const lockingBucket = async (): Promise<string> => {
    const Bucket = `isync-test-${randomBytes(6).toString('hex')}`;
    await client.send(new CreateBucketCommand({ Bucket, ObjectLockEnabledForBucket: true }));
    return Bucket;
  };

  backupTargetSuite('a bucket', {
    open: async () => targetOf(await server.makeBucket()),
    openLocked: async () => targetOf(await lockingBucket(), { lock: { mode: 'governance', days: 1 } }),
  });

  describe('a bucket as a target', () => {
    it('sees the folder of its own job only', async () => {
      const Bucket = await server.makeBucket();
      for (const Key of ['kept/here/app/a', 'kept/here/app2/b', 'kept/here/app/folder/c', 'kept/here/app/'])
        await client.send(new PutObjectCommand({ Bucket, Key, Body: 'x' }));
      await using target = targetOf(Bucket);
      const keys = [];
      for await (const { key } of target.list()) keys.push(key);
      expect(keys).toEqual(['a']);
      expect(target.name).toBe(`s3://${Bucket}/kept/here`);
    });

    it('gives tags, metadata and storage class to archives, and to nothing else', async () => {
      const Bucket = await server.makeBucket();
      await using target = targetOf(Bucket, { storageClass: 'STANDARD' });
      await target.put('job.json', Buffer.from('{}'));
      const bytes = Buffer.from('content');
      const tags = { env: 'production', owner: 'team alpha' };
      const id = await target.begin(KEY, {
        partBytes: 5 * 1024 * 1024,
        tags,
        metadata: { job: 'app' },
      });
      const etag = await target.putPart({ key: KEY, id }, partOf(1, bytes));
      await target.complete({ key: KEY, id }, [etag], bytes.length, { tags });
      const tagsOf = async (key: string) => {
        const Key = `kept/here/app/${key}`;
        return (await client.send(new GetObjectTaggingCommand({ Bucket, Key }))).TagSet;
      };
      expect(await tagsOf(KEY)).toEqual([
        { Key: 'env', Value: 'production' },
        { Key: 'owner', Value: 'team alpha' },
      ]);
      expect((await tagsOf('job.json')) ?? []).toEqual([]);
      const head = await client.send(new HeadObjectCommand({ Bucket, Key: `kept/here/app/${KEY}` }));
      expect(head.Metadata).toEqual({ job: 'app' });
    });

    it('tells apart an archive of another size, and an upload that is gone', async () => {
      await using target = targetOf(await server.makeBucket());
      const id = await target.begin(KEY, { partBytes: 5 * 1024 * 1024, tags: {}, metadata: {} });
      const part = partOf(1, Buffer.from('content'));
      const etag = await target.putPart({ key: KEY, id }, part);
      await expect(target.complete({ key: KEY, id }, [etag], 8)).rejects.toMatchObject({
        code: 'DIGEST_MISMATCH',
        retryable: false,
      });
      await expect(target.putPart({ key: KEY, id }, part)).rejects.toMatchObject({
        code: 'MISSING',
        retryable: false,
      });
    });

    it('goes on with an upload at the next endpoint of the bucket', async () => {
      const dead = `http://127.0.0.1:${await freePort()}`;
      const bucket = await server.makeBucket();
      await using first = targetOf(bucket);
      const id = await first.begin(KEY, { partBytes: 5 * 1024 * 1024, tags: {}, metadata: {} });
      await using target = targetOf(bucket, { endpoints: [dead, server.endpoint] });
      const part = partOf(1, Buffer.from('content'));
      const upload = { key: KEY, id };
      await expect(target.putPart(upload, part)).rejects.toMatchObject({
        code: 'UNREACHABLE',
        retryable: true,
      });
      const etag = await target.putPart(upload, part);
      expect(await target.complete(upload, [etag], 7)).toMatchObject({ size: 7 });
    });

    it('goes on with an upload once credentials that expired in the middle are renewed', async () => {
      await using front = await startS3Front(server.endpoint);
      const bucket = await server.makeBucket();
      const partBytes = 5 * 1024 * 1024;
      const bytes = randomBytes(partBytes + 1);
      const parts = [partOf(1, bytes.subarray(0, partBytes)), partOf(2, bytes.subarray(partBytes))] as const;
      await using before = targetOf(bucket, { endpoints: [front.endpoint] });
      const upload = { key: KEY, id: await before.begin(KEY, { partBytes, tags: {}, metadata: {} }) };
      const first = await before.putPart(upload, parts[0]);
      front.refuse = () => ({
        status: 400,
        code: 'ExpiredToken',
        message: 'The provided token has expired.',
      });
      const log = new RecordingLog();
      const failing = attempting('put part 2', () => before.putPart(upload, parts[1]), { log });
      await expect(failing).rejects.toMatchObject({ code: 'STORE_REFUSED' });
      expect(front.refused).toBe(1);
      await using renewed = targetOf(bucket);
      expect([...(await renewed.parts(upload))!.keys()]).toEqual([1]);
      const second = await renewed.putPart(upload, parts[1]);
      await renewed.complete(upload, [first, second], bytes.length);
      expect(await renewed.head(KEY)).toMatchObject({ size: bytes.length });
    });

    it('writes with a clock that is far ahead, and tells so', async () => {
      await using target = targetOf(await server.makeBucket());
      const aheadMs = 3 * 3_600_000;
      vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + aheadMs });
      onTestFinished(() => void vi.useRealTimers());
      const log = new RecordingLog();
      await attempting('put a', () => target.put('a', Buffer.from('one')), { log });
      expect(log.at('warn').map(({ fields }) => fields['err'])).toMatchObject([{ code: 'CLOCK_SKEW' }]);
      expect(await target.head('a')).toMatchObject({ size: 3 });
      expect(Math.abs(target.clockAheadMs! - aheadMs)).toBeLessThan(120_000);
    });

    it('is where an archive is uploaded to, through failures, and another process goes on', async () => {
      await using front = await startS3Front(server.endpoint);
      const bucket = await server.makeBucket();
      await using target = targetOf(bucket, { endpoints: [front.endpoint] });
      const partBytes = 5 * 1024 * 1024;
      const stage = await UploadStage.start([target], { name: KEY, partBytes });
      const bytes = randomBytes(4 * partBytes + 1);
      const settings = { spoolBytes: 10 * partBytes };
      let isExpired = false;
      front.refuse = ({ url = '' }) => {
        isExpired ||= url.includes('partNumber=4');
        return isExpired ? { status: 400, code: 'ExpiredToken' } : undefined;
      };
      expect(await stage.run([target], bytes, settings)).toMatchObject([
        { error: { code: 'STORE_REFUSED' }, isResumable: true },
      ]);
      front.refuse = undefined;
      // One answer is lost: the part is sent again, and the completion is asked for again.
      const lost = new Set(['POST', 'PUT']);
      front.cutAnswer = ({ method = '' }) => lost.delete(method);
      await using again = targetOf(bucket, { endpoints: [front.endpoint] });
      expect(await stage.run([again], bytes, settings)).toMatchObject([{ error: undefined }]);
      expect(lost.size).toBe(0);
      const object = (await again.read(KEY))!;
      const pieces = [];
      for await (const piece of object.read(0, object.size)) pieces.push(piece);
      expect(Buffer.concat(pieces).equals(bytes)).toBe(true);
      const left = [];
      for await (const upload of again.uploads()) left.push(upload);
      expect(left).toEqual([]);
    });

    it('removes every version of an object, so that none comes to light again', async () => {
      const Bucket = await server.makeBucket();
      await client.send(
        new PutBucketVersioningCommand({ Bucket, VersioningConfiguration: { Status: 'Enabled' } }),
      );
      await using target = targetOf(Bucket);
      await target.put('a.mark', Buffer.from('one'));
      await target.put('a.mark', Buffer.from('two'));
      expect(await target.remove('a.mark')).toBe('removed');
      const { Versions = [], DeleteMarkers = [] } = await client.send(
        new ListObjectVersionsCommand({ Bucket }),
      );
      expect([...Versions, ...DeleteMarkers]).toEqual([]);
    });

    it('leaves nothing behind in a bucket that is given versions while it removes', async () => {
      const Bucket = await server.makeBucket();
      await using target = targetOf(Bucket);
      for (const key of ['one', 'two', 'three']) await target.put(key, Buffer.from(key));
      expect(await target.remove('one', { isListed: true })).toBe('removed');
      await client.send(
        new PutBucketVersioningCommand({ Bucket, VersioningConfiguration: { Status: 'Enabled' } }),
      );
      await target.put('three', Buffer.from('another one'));
      for (const key of ['two', 'three'])
        expect(await target.remove(key, { isListed: true })).toBe('removed');
      const { Versions = [], DeleteMarkers = [] } = await client.send(
        new ListObjectVersionsCommand({ Bucket }),
      );
      expect([...Versions, ...DeleteMarkers]).toEqual([]);
    });

    it('locks an archive after its completion, and says so where the bucket knows no locks', async () => {
      const bytes = Buffer.from('content');
      const made = async (target: BackupTarget) => {
        const id = await target.begin(KEY, { partBytes: 5 * 1024 * 1024, tags: {}, metadata: {} });
        const etag = await target.putPart({ key: KEY, id }, partOf(1, bytes));
        await target.complete({ key: KEY, id }, [etag], bytes.length);
      };
      const untilMs = Date.now() + 86_400_000;
      await using locking = targetOf(await lockingBucket());
      await made(locking);
      expect(await locking.lockedUntil(KEY)).toBeUndefined();
      await locking.lock(KEY, 'governance', untilMs);
      expect(await locking.lockedUntil(KEY)).toBeGreaterThanOrEqual(untilMs);
      expect(await locking.remove(KEY)).toBe('locked');
      await using plain = targetOf(await server.makeBucket());
      await made(plain);
      await expect(plain.lock(KEY, 'governance', untilMs)).rejects.toMatchObject({
        code: expect.any(String),
      });
      expect(await plain.remove(KEY)).toBe('removed');
    });

    it('does without tags where the server knows none', async () => {
      await using front = await startS3Front(server.endpoint);
      front.refuse = ({ url = '', headers }) =>
        url.includes('tagging') || 'x-amz-tagging' in headers
          ? { status: 501, code: 'NotImplemented' }
          : undefined;
      await using target = targetOf(await server.makeBucket(), { endpoints: [front.endpoint] });
      const tags = { env: 'production' };
      const id = await target.begin(KEY, { partBytes: 5 * 1024 * 1024, tags, metadata: {} });
      const etag = await target.putPart({ key: KEY, id }, partOf(1, Buffer.from('content')));
      expect(await target.complete({ key: KEY, id }, [etag], 7, { tags })).toMatchObject({ size: 7 });
    });

    it('tells how far our clock is ahead of the server', async () => {
      const aheadMs = 240_000;
      await using target = targetOf(await server.makeBucket());
      expect(target.clockAheadMs).toBeUndefined();
      vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + aheadMs });
      onTestFinished(() => void vi.useRealTimers());
      await target.put('a', Buffer.from('one'));
      expect(Math.abs(target.clockAheadMs! - aheadMs)).toBeLessThan(120_000);
    });
  });
});
