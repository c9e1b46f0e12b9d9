import { randomBytes } from 'node:crypto';
import { expect, it } from 'vitest';
import { copyObject } from '../../src/s3/copy.ts';
import { listUploads } from '../../src/s3/multipart.ts';
import { headObject, putObject } from '../../src/s3/objects.ts';
import type { Bucket } from '../../src/s3/requests.ts';
import { startS3Front } from '../../harness/s3-front.ts';
import { withS3Server } from '../../harness/s3-server.ts';
import { all, bodyOf, bucketAt, contentOf, SMALL_PART } from '../s3/buckets.ts';

/** So that the server copies an object of some parts in parts. */
const IN_PARTS = { mostAtOnceBytes: SMALL_PART, partBytes: SMALL_PART };
const ATTRIBUTES = { metadata: { mtime: '1.5' }, headers: { contentType: 'text/x-test' } };

await withS3Server((server) => {
  const newBucket = async (): Promise<Bucket> => bucketAt(server, { bucket: await server.makeBucket() });

  it.each([
    ['at once', 1000, {}],
    ['of no bytes', 0, {}],
    ['in one part too many', 2 * SMALL_PART + 1000, IN_PARTS],
  ])('copies bytes, metadata and headers to another bucket: %s', async (_, size, options) => {
    const [from, to] = [await newBucket(), await newBucket()];
    const content = randomBytes(size);
    await putObject(from, 'a', bodyOf(content), ATTRIBUTES);
    const copied = await copyObject({ bucket: from, key: 'a' }, { bucket: to, key: 'b' }, options);
    expect(await headObject(to, 'b')).toMatchObject({ size, etag: copied!.etag, ...ATTRIBUTES });
    // As a whole: a matcher compares buffers byte by byte.
    expect((await contentOf(to, 'b'))?.equals(content)).toBe(true);
    expect(await all(listUploads(to, ''))).toEqual([]);
  });

  it('copies from and to odd keys', async () => {
    const bucket = await newBucket();
    for (const key of ['a//b', 'two words', 'a+b', 'a%2Fb', 'ä/😀', '/leading', "it's (1)*!"]) {
      await putObject(bucket, key, bodyOf(key));
      await copyObject({ bucket, key }, { bucket, key: `copy/${key}` });
      expect(String(await contentOf(bucket, `copy/${key}`))).toBe(key);
    }
  });

  it('tells where there is nothing to copy', async () => {
    const bucket = await newBucket();
    expect(await copyObject({ bucket, key: 'none' }, { bucket, key: 'b' })).toBeUndefined();
  });

  it('mixes no two versions', async () => {
    const [from, to] = [await newBucket(), await newBucket()];
    const size = 2 * SMALL_PART;
    await putObject(from, 'a', bodyOf(randomBytes(size)));
    // The source is replaced each time it was looked at.
    const behind: Bucket = Object.create(from, {
      sendUnlessAbsent: {
        value: async (...args: Parameters<Bucket['sendUnlessAbsent']>) => {
          const head = await from.sendUnlessAbsent(...args);
          await putObject(from, 'a', bodyOf(randomBytes(size)));
          return head;
        },
      },
    });
    const copy = copyObject({ bucket: behind, key: 'a' }, { bucket: to, key: 'b' }, IN_PARTS);
    await expect(copy).rejects.toMatchObject({ code: 'FILE_CHANGED', retryable: true });
    expect(await headObject(to, 'b')).toBeUndefined();
    expect(await all(listUploads(to, ''))).toEqual([]);
  });

  it('throws the parts away when it is stopped', async () => {
    await using front = await startS3Front(server.endpoint);
    const from = await newBucket();
    const to = bucketAt(server, { bucket: await server.makeBucket(), endpoint: front.endpoint });
    await putObject(from, 'a', bodyOf(randomBytes(2 * SMALL_PART)));
    const reason = new Error('no longer wanted');
    const stop = new AbortController();
    front.refuse = ({ url }) => {
      if (url?.includes('partNumber=')) stop.abort(reason);
      return undefined;
    };
    const options = { ...IN_PARTS, signal: stop.signal };
    await expect(copyObject({ bucket: from, key: 'a' }, { bucket: to, key: 'b' }, options)).rejects.toBe(
      reason,
    );
    expect(await all(listUploads(to, ''))).toEqual([]);
  });
});
