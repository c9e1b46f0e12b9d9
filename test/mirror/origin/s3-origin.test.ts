import { DeleteBucketCommand } from '@aws-sdk/client-s3';
import { expect, it } from 'vitest';
import { S3Origin } from '../../../src/mirror/origin/s3/s3-origin.ts';
import type { MirrorRule } from '../../../src/mirror/rule.ts';
import { putObject } from '../../../src/s3/objects.ts';
import type { Bucket } from '../../../src/s3/requests.ts';
import { SLOW_DOWN, startS3Front } from '../../../harness/s3-front.ts';
import { withS3Server } from '../../../harness/s3-server.ts';
import { all, bodyOf, bucketAt } from '../../s3/buckets.ts';
import { ask, found, ruleOf, textOf, timeouts } from './origins.ts';

function originIn(bucket: Bucket, rule: Partial<MirrorRule> = {}, prefix = 'old/'): S3Origin {
  return new S3Origin(bucket, { bucket: bucket.name, prefix }, ruleOf(rule));
}

await withS3Server((server) => {
  const newBucket = async (): Promise<Bucket> => bucketAt(server, { bucket: await server.makeBucket() });

  it('gives an object with what tells of it', async () => {
    const bucket = await newBucket();
    const headers = { contentType: 'text/x-test', cacheControl: 'no-store', contentDisposition: 'inline' };
    const { etag } = await putObject(bucket, 'old/a ä', bodyOf('content'), {
      headers,
      metadata: { kept: 'yes', other: 'no' },
    });
    const origin = originIn(bucket, { keeps: (header) => header === 'x-amz-meta-kept' });
    expect(origin.name).toBe(`s3://${bucket.name}/old/ at ${server.endpoint}`);
    expect(origin.urlOf()).toBeUndefined();
    for (const method of ['GET', 'HEAD'] as const) {
      using object = await found(origin, 'a ä', method);
      expect(object).toMatchObject({
        size: 7,
        headers,
        etag: `"${etag}"`,
        metadata: { kept: 'yes' },
        notKept: undefined,
      });
      expect(object.metadata).not.toHaveProperty('other');
      expect(Math.abs(object.modifiedMs! - Date.now())).toBeLessThan(60_000);
      expect(await textOf(object)).toBe(method === 'GET' ? 'content' : '');
    }
  });

  it('says that there is none where the store says so, and of nothing else', async () => {
    const bucket = await newBucket();
    const origin = originIn(bucket);
    expect(await ask(origin)).toEqual({ kind: 'absent' });
    expect(await ask(origin, 'f', 'HEAD')).toEqual({ kind: 'absent' });
    expect(await ask(originIn(bucket, {}, ''), '')).toEqual({ kind: 'absent' });
    await server.client.send(new DeleteBucketCommand({ Bucket: bucket.name }));
    for (const method of ['GET', 'HEAD'] as const)
      await expect(ask(origin, 'f', method)).rejects.toMatchObject({
        name: 'OriginError',
        status: 502,
        isAway: false,
      });
  });

  it('tells from a 404 without a word', async () => {
    await using front = await startS3Front(server.endpoint);
    front.refuse = () => ({ status: 404, code: '', body: '<html>', headers: {} });
    const bucket = bucketAt(server, { bucket: await server.makeBucket(), endpoint: front.endpoint });
    const origin = originIn(bucket);
    for (const method of ['GET', 'HEAD'] as const)
      await expect(ask(origin, 'f', method)).rejects.toMatchObject({ status: 502 });
  });

  it('is refused, or too busy', async () => {
    const name = await server.makeBucket();
    const credentials = { accessKeyId: 'nobody', secretAccessKey: 'nothing' };
    const refused = originIn(bucketAt(server, { bucket: name, credentials }));
    await expect(ask(refused)).rejects.toMatchObject({ status: 502, isAway: false });
    await using front = await startS3Front(server.endpoint);
    front.refuse = () => SLOW_DOWN;
    const busy = originIn(bucketAt(server, { bucket: name, endpoint: front.endpoint }));
    await expect(ask(busy)).rejects.toMatchObject({ status: 503, isAway: true, retryAfter: 10 });
  });

  it('does not give what the rule does not take', async () => {
    const bucket = await newBucket();
    await putObject(bucket, 'old/f', bodyOf('content'), { headers: { contentType: 'Text/HTML; a=b' } });
    const object = await found(originIn(bucket, { takesType: (type) => type === 'image/png' }));
    expect(object.notKept).toBe('the rule takes no text/html');
    expect(await textOf(object)).toBe('content');
    await expect(ask(originIn(bucket, { maxSize: 6 }))).rejects.toMatchObject({ status: 302 });
  });

  it('fails where the bytes are cut, or do not come', async () => {
    await using front = await startS3Front(server.endpoint);
    const bucket = bucketAt(server, { bucket: await server.makeBucket(), endpoint: front.endpoint });
    await putObject(bucket, 'old/f', bodyOf('content'));
    front.cutBody = () => 3;
    await expect(found(originIn(bucket)).then(textOf)).rejects.toMatchObject({ status: 502, isAway: false });
    front.cutBody = undefined;
    front.holdBody = () => new Promise(() => {});
    const stuck = await found(originIn(bucket, { timeouts: timeouts({ idle: 200 }) }));
    await expect(textOf(stuck)).rejects.toMatchObject({ status: 504, isAway: true });
    front.ignore = () => true;
    const mute = originIn(bucket, { timeouts: timeouts({ connect: 100, firstByte: 100 }) });
    await expect(ask(mute)).rejects.toMatchObject({ status: 504, isAway: true });
  });

  it('ends with its asker', async () => {
    const bucket = await newBucket();
    await putObject(bucket, 'old/f', bodyOf('content'));
    const leaving = new AbortController();
    leaving.abort(new Error('enough'));
    await expect(ask(originIn(bucket), 'f', 'GET', undefined, leaving.signal)).rejects.toThrow('enough');
  });

  it('lists keys as it is asked for them', async () => {
    const bucket = await newBucket();
    for (const key of ['old/a', 'old/b/c', 'old/', 'older', 'new/d'])
      await putObject(bucket, key, bodyOf(key));
    const listed = await all(originIn(bucket).list());
    expect(listed.map(({ key, size }) => [key, size])).toEqual([
      ['', 4],
      ['a', 5],
      ['b/c', 7],
    ]);
  });
});
