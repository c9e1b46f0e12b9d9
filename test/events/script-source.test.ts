import { DeleteObjectCommand, PutBucketVersioningCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { expect, it, onTestFinished } from 'vitest';
import { startS3Front } from '../../harness/s3-front.ts';
import { withS3Server } from '../../harness/s3-server.ts';
import { BucketPool, type PoolAccess } from '../../src/events/action/bucket-pool.ts';
import { bucketSource } from '../../src/events/action/script/script-source.ts';
import { scriptStage } from './script-stage.ts';

await withS3Server((server) => {
  const sourceAt = (access: Partial<PoolAccess> = {}) => {
    const { endpoint, region, credentials } = server;
    const pool = new BucketPool({ endpoint, region, credentials, pathStyle: true, ...access });
    onTestFinished(() => pool[Symbol.dispose]());
    return bucketSource(pool);
  };
  const put = (bucket: string, key: string, body: string) =>
    server.client.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: body }));
  const remove = (bucket: string, key: string) =>
    server.client.send(new DeleteObjectCommand({ Bucket: bucket, Key: key }));
  /** Leaves a line for each run. */
  const TELL = `echo "$3 $ISYNC_ETAG" >> "$HERE/runs"`;

  it('does what the bucket says, whatever the event says', async () => {
    const bucket = await server.makeBucket();
    const { ETag } = await put(bucket, 'a b', 'one');
    const stage = scriptStage();
    const run = stage.script(TELL, { source: sourceAt() });
    expect(await run({ event: { bucket, key: 'a b', kind: 'removed' } })).toEqual({ outcome: 'done' });
    expect(stage.left('runs')).toBe(`copy ${ETag?.replaceAll('"', '')}\n`);
    await remove(bucket, 'a b');
    expect(await run({ event: { bucket, key: 'a b', kind: 'created' }, isLastLook: true })).toEqual({
      outcome: 'done',
    });
    expect(stage.left('runs')).toMatch(/^copy .*\ndelete \n$/);
  });

  it('looks again before an object of a created event is believed to be gone', async () => {
    const bucket = await server.makeBucket();
    const stage = scriptStage();
    const run = stage.script(TELL, { source: sourceAt() });
    expect(await run({ event: { bucket } })).toEqual({ outcome: 'missing' });
    expect(() => stage.left('runs')).toThrow('ENOENT');
    expect(await run({ event: { bucket, kind: 'removed' } })).toEqual({ outcome: 'done' });
    expect(stage.left('runs')).toBe('delete \n');
  });

  it('runs again where the object changed meanwhile, until it rests', async () => {
    const bucket = await server.makeBucket();
    await put(bucket, 'k', 'one');
    const stage = scriptStage();
    let again = 0;
    const source = sourceAt();
    let looks = 0;
    const run = stage.script(TELL, {
      lookedAgain: () => void again++,
      source: {
        look: async (task, signal) => {
          looks += 1;
          // While the script ran.
          if (looks === 2) await put(bucket, 'k', 'two');
          if (looks === 3) await remove(bucket, 'k');
          return await source.look(task, signal);
        },
      },
    });
    expect(await run({ event: { bucket, key: 'k' }, isLastLook: true })).toEqual({ outcome: 'done' });
    expect(stage.left('runs')).toMatch(/^copy (\w+)\ncopy (?!\1)\w+\ndelete \n$/);
    expect(again).toBe(2);
  });

  it('tells versions', async () => {
    const bucket = await server.makeBucket();
    const VersioningConfiguration = { Status: 'Enabled' as const };
    await server.client.send(new PutBucketVersioningCommand({ Bucket: bucket, VersioningConfiguration }));
    const { VersionId } = await put(bucket, 'k', 'one');
    onTestFinished(async () => {
      const gone = await remove(bucket, 'k');
      for (const id of [VersionId, gone.VersionId])
        await server.client.send(new DeleteObjectCommand({ Bucket: bucket, Key: 'k', VersionId: id }));
    });
    const stage = scriptStage();
    await stage.script(`echo "$ISYNC_VERSION" > "$HERE/version"`, { source: sourceAt() })({
      event: { bucket, key: 'k', versionId: 'another' },
    });
    expect(VersionId).toBeTruthy();
    expect(stage.left('version')).toBe(`${VersionId}\n`);
  });

  it('runs nothing for a bucket that is missing, forbidden or hidden', async ({ skip }) => {
    const stage = scriptStage();
    const ranNothing = () => expect(() => stage.left('runs')).toThrow('ENOENT');
    const event = { kind: 'removed' as const, bucket: 'none-such' };
    const run = stage.script(TELL, { source: sourceAt() });
    await expect(run({ event })).rejects.toMatchObject({ code: 'STORE_MISSING' });
    ranNothing();

    await using front = await startS3Front(server.endpoint);
    const hidden = stage.script(TELL, { source: sourceAt({ endpoint: front.endpoint }) });
    front.refuse = () => ({ status: 404, code: '', body: '<html>' });
    await expect(hidden({ event })).rejects.toMatchObject({ retryable: true });
    front.refuse = () => ({ status: 403, code: 'AccessDenied' });
    await expect(hidden({ event })).rejects.toMatchObject({ code: 'STORE_REFUSED', retryable: false });
    ranNothing();

    const credentials = await server.stranger();
    skip(credentials === undefined, 'this server makes no users');
    const bucket = await server.makeBucket();
    const strange = stage.script(TELL, { source: sourceAt({ credentials }) });
    await expect(strange({ event: { ...event, bucket } })).rejects.toMatchObject({ code: 'STORE_REFUSED' });
    ranNothing();
  });

  it('believes the event of a removal where S3 tells nothing to those who may not list', async () => {
    await using front = await startS3Front(server.endpoint);
    front.refuse = () => ({
      status: 403,
      code: 'AccessDenied',
      message: 'User: x is not authorized to perform: s3:ListBucket on resource: "y"',
    });
    const stage = scriptStage();
    const run = stage.script(TELL, { source: sourceAt({ endpoint: front.endpoint }) });
    const bucket = 'photos';
    expect(await run({ event: { bucket } })).toEqual({ outcome: 'missing' });
    expect(await run({ event: { bucket }, isLastLook: true })).toEqual({ outcome: 'unchanged' });
    expect(() => stage.left('runs')).toThrow('ENOENT');
    expect(await run({ event: { bucket, kind: 'removed' } })).toEqual({ outcome: 'done' });
    expect(stage.left('runs')).toBe('delete \n');
  });
});
