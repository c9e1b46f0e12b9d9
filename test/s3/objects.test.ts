import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import {
  getObject,
  headObject,
  listObjects,
  putObject,
  putObjectIfAbsent,
  removeObject,
} from '../../src/s3/objects.ts';
import type { Bucket } from '../../src/s3/requests.ts';
import { startS3Front } from '../../harness/s3-front.ts';
import { withS3Server } from '../../harness/s3-server.ts';
import { all, bodyOf, bucketAt, contentOf } from './buckets.ts';

const ODD_KEYS = [
  'a//b',
  'two words',
  'a+b',
  'a%2Fb',
  '%',
  'ä/á/😀',
  '/leading',
  'trailing/',
  '../up',
  '?x=y#z',
];

await withS3Server((server) => {
  const newBucket = async (): Promise<Bucket> => bucketAt(server, { bucket: await server.makeBucket() });

  it('keeps bytes, metadata and headers, and tells them', async () => {
    const bucket = await newBucket();
    const metadata = { a: 'b' };
    const headers = { contentType: 'text/x-test', cacheControl: 'no-store' };
    const { etag } = await putObject(bucket, 'f', bodyOf('content'), { metadata, headers });
    const head = await headObject(bucket, 'f');
    expect(head).toMatchObject({ size: 7, etag, metadata, headers });
    expect(Math.abs(head!.modifiedMs - Date.now())).toBeLessThan(60_000);
    using found = await getObject(bucket, 'f');
    expect(found).toMatchObject({ size: 7, etag, metadata, headers });
    expect(String(Buffer.concat(await all(found!.bytes)))).toBe('content');
  });

  it('tells what is not there as such, and removes it without a word', async () => {
    const bucket = await newBucket();
    expect(await headObject(bucket, 'none')).toBeUndefined();
    expect(await getObject(bucket, 'none')).toBeUndefined();
    await removeObject(bucket, 'none');
    await putObject(bucket, 'f', bodyOf('content'));
    await removeObject(bucket, 'f');
    expect(await headObject(bucket, 'f')).toBeUndefined();
  });

  it('takes every key as it is', async () => {
    const bucket = await newBucket();
    for (const key of ODD_KEYS) await putObject(bucket, key, bodyOf(key));
    expect((await all(listObjects(bucket, ''))).map(({ key }) => key).sort()).toEqual(ODD_KEYS.toSorted());
    for (const key of ODD_KEYS) expect(String(await contentOf(bucket, key))).toBe(key);
    for (const key of ODD_KEYS) await removeObject(bucket, key);
    expect(await all(listObjects(bucket, ''))).toEqual([]);
  });

  it.each([
    [{}, '0123456789'],
    [{ start: 3 }, '3456789'],
    [{ start: 3, end: 5 }, '34'],
    [{ end: 1 }, '0'],
    [{ start: 8, end: 100 }, '89'],
    [{ start: 10 }, ''],
    [{ start: 11, end: 12 }, ''],
  ])('gets the range %o', async (range, expected) => {
    const bucket = await newBucket();
    await putObject(bucket, 'f', bodyOf('0123456789'));
    using found = await getObject(bucket, 'f', range);
    expect(found!.size).toBe(10);
    expect(String(Buffer.concat(await all(found!.bytes)))).toBe(expected);
  });

  it('gets the version that was asked for or none', async () => {
    const bucket = await newBucket();
    const { etag: ifMatch } = await putObject(bucket, 'f', bodyOf('first'));
    expect(String(await contentOf(bucket, 'f', { ifMatch }))).toBe('first');
    expect(await headObject(bucket, 'f', { ifMatch })).toMatchObject({ size: 5 });
    await putObject(bucket, 'f', bodyOf('second'));
    for (const range of [{}, { start: 1, end: 2 }])
      await expect(getObject(bucket, 'f', { ifMatch, ...range, path: 'f' })).rejects.toMatchObject({
        code: 'FILE_CHANGED',
        retryable: true,
        path: 'f',
      });
    await expect(headObject(bucket, 'f', { ifMatch })).rejects.toMatchObject({ code: 'FILE_CHANGED' });
  });

  it('puts an object only where there is none', async () => {
    const bucket = await newBucket();
    expect(await putObjectIfAbsent(bucket, 'f', bodyOf('first'))).toEqual({
      etag: (await headObject(bucket, 'f'))?.etag,
    });
    expect(await putObjectIfAbsent(bucket, 'f', bodyOf('second'))).toBe('in use');
    expect(String(await contentOf(bucket, 'f'))).toBe('first');
  });

  it('has bytes checked by the server', async () => {
    const bucket = await newBucket();
    const wrong = { ...bodyOf('something'), bytes: Buffer.from('else') };
    await expect(putObject(bucket, 'wrong', wrong)).rejects.toMatchObject({
      code: 'STORE_FAILED',
      retryable: true,
    });
    expect(await headObject(bucket, 'wrong')).toBeUndefined();
  });

  describe('a body', () => {
    const content = randomBytes(4_000_000);

    it('ends with the reason of the signal, before and while it is read', async () => {
      const bucket = await newBucket();
      await putObject(bucket, 'f', bodyOf(content));
      const reason = new Error('no longer wanted');
      const aborted = AbortSignal.abort(reason);
      await expect(getObject(bucket, 'f', { signal: aborted })).rejects.toBe(reason);
      await expect(all(listObjects(bucket, '', { signal: aborted }))).rejects.toBe(reason);
      for (const readFirst of [true, false]) {
        const stop = new AbortController();
        using found = await getObject(bucket, 'f', { signal: stop.signal });
        const bytes = found!.bytes[Symbol.asyncIterator]();
        if (readFirst) await bytes.next();
        stop.abort(reason);
        await expect(bytes.next()).rejects.toBe(reason);
      }
    });

    it('gives its place to others when it is read, left or thrown away', async () => {
      const bucket = bucketAt(server, { bucket: await server.makeBucket() }, { reads: 2 });
      await putObject(bucket, 'f', bodyOf(content));
      for (let i = 0; i < 6; i++) {
        using found = i % 3 === 0 ? await getObject(bucket, 'f') : undefined;
        if (found !== undefined) continue;
        const { bytes } = (await getObject(bucket, 'f'))!;
        for await (const piece of bytes) if (i % 3 === 1 && piece.length > 0) break;
      }
      expect(await contentOf(bucket, 'f')).toEqual(content);
    });

    it('that is cut rejects', async () => {
      await using front = await startS3Front(server.endpoint);
      const access = { bucket: await server.makeBucket(), endpoint: front.endpoint };
      const bucket = bucketAt(server, access);
      await putObject(bucket, 'f', bodyOf(content));
      front.holdBody = ({ method }) => (method === 'GET' ? Promise.reject(new Error('cut')) : undefined);
      await expect(contentOf(bucket, 'f', { path: 'f' })).rejects.toMatchObject({
        code: 'UNREACHABLE',
        retryable: true,
        path: 'f',
      });
    });
  });
});
