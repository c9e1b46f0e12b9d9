import { randomBytes } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { openKeptBucket, type KeptBucketOptions } from '../../src/mirror/kept/s3-kept-bucket.ts';
import type { KeptBucket } from '../../src/mirror/kept/kept.ts';
import { listUploads, putPart, startUpload } from '../../src/s3/multipart.ts';
import { headObject, listObjects, putObject, removeObject } from '../../src/s3/objects.ts';
import type { Bucket } from '../../src/s3/requests.ts';
import { startS3Front } from '../../harness/s3-front.ts';
import { withS3Server } from '../../harness/s3-server.ts';
import { RecordingLog } from '../recording-log.ts';
import { all, bodyOf, bucketAt, contentOf, SMALL_PART } from '../s3/buckets.ts';
import { newSpool, spooled } from '../mirror/spooled.ts';

const MIB = 1024 * 1024;
const HEAD = {
  size: undefined,
  headers: { contentType: 'text/x-test', cacheControl: 'max-age=9' },
  etag: '"of the origin"',
  modifiedMs: 1_000_000,
  metadata: { owner: 'me' },
  origin: 'https://old.example/a',
};
const NEVER = new AbortController().signal;

await withS3Server((server) => {
  async function newKept(
    options: Partial<KeptBucketOptions> = {},
    endpoint = server.endpoint,
  ): Promise<{ bucket: Bucket; kept: KeptBucket; log: RecordingLog }> {
    const bucket = bucketAt(server, { bucket: await server.makeBucket(), endpoint });
    const log = new RecordingLog();
    const kept = openKeptBucket({ bucket, prefix: 'p/', log, isAws: false, ...options });
    return { bucket, kept, log };
  }

  /** Everything above 5 MiB goes in parts of 5 MiB. */
  const IN_PARTS = { limits: { whole: 5 * MIB, streamed: 5 * MIB, part: 5 * MIB } };
  /** Everything above 1,000 bytes goes as a stream. */
  const STREAMED = { limits: { whole: 1000 } };

  const ways = [
    ['one request from memory', {}, 100_000],
    ['one request with nothing in it', {}, 0],
    ['one request as a stream', STREAMED, 3_000_000],
    ['parts', IN_PARTS, 12 * MIB + 3],
    ['parts, where conditions are heeded', { ...IN_PARTS, isAws: true }, 12 * MIB + 3],
  ] as const;

  describe.each(ways)('a body that goes by %s', (_, options, size) => {
    it('is kept with all that the origin tells', async () => {
      const { bucket, kept } = await newKept(options);
      const content = randomBytes(size);
      using body = await spooled(await newSpool(), content);
      expect(await kept.put('a/ä b', body, HEAD, { signal: NEVER })).toBe('kept');
      expect((await contentOf(bucket, 'p/a/ä b'))!.equals(content)).toBe(true);
      expect(await kept.head('a/ä b')).toMatchObject({
        size,
        headers: HEAD.headers,
        metadata: {
          'isync-origin': HEAD.origin,
          'isync-origin-etag': HEAD.etag,
          'isync-origin-modified': '1970-01-01T00:16:40.000Z',
          owner: 'me',
        },
      });
      expect(await all(listUploads(bucket, ''))).toEqual([]);
    });

    it('leaves what stands there by now', async () => {
      const { bucket, kept } = await newKept(options);
      await putObject(bucket, 'p/a', bodyOf('the application'));
      using body = await spooled(await newSpool(), randomBytes(size));
      expect(await kept.put('a', body, HEAD, { signal: NEVER })).toBe('present');
      expect(String(await contentOf(bucket, 'p/a'))).toBe('the application');
      expect(await all(listUploads(bucket, ''))).toEqual([]);
    });

    it('replaces the version that it may replace, and no other', async () => {
      const { bucket, kept } = await newKept(options);
      const content = randomBytes(size);
      using body = await spooled(await newSpool(), content);
      await putObject(bucket, 'p/a', bodyOf('old'));
      const replaces = (await headObject(bucket, 'p/a'))!;
      await putObject(bucket, 'p/a', bodyOf('changed'));
      expect(await kept.put('a', body, HEAD, { signal: NEVER, replaces })).toBe('present');
      expect(String(await contentOf(bucket, 'p/a'))).toBe('changed');
      await removeObject(bucket, 'p/a');
      expect(await kept.put('a', body, HEAD, { signal: NEVER, replaces })).toBe('present');
      expect(await headObject(bucket, 'p/a')).toBeUndefined();
      await putObject(bucket, 'p/a', bodyOf('old'));
      expect(await kept.put('a', body, HEAD, { signal: NEVER, replaces })).toBe('kept');
      expect((await contentOf(bucket, 'p/a'))!.equals(content)).toBe(true);
    });

    it('is not kept once its signal fires, and leaves no upload', async () => {
      await using front = await startS3Front(server.endpoint);
      const { bucket, kept } = await newKept(options, front.endpoint);
      using body = await spooled(await newSpool(), randomBytes(size));
      const stops = new AbortController();
      const reason = new Error('no time');
      front.ignore = ({ method }) => {
        if (method === 'PUT') stops.abort(reason);
        return method === 'PUT';
      };
      await expect(kept.put('a', body, HEAD, { signal: stops.signal })).rejects.toBe(reason);
      expect(await all(listUploads(bucket, ''))).toEqual([]);
    });
  });

  it('gets an object, a part of it, or nothing of another version', async () => {
    const { bucket, kept } = await newKept();
    expect(await kept.head('a')).toBeUndefined();
    expect(await kept.get('a', {})).toBeUndefined();
    await putObject(bucket, 'p/a', bodyOf('0123456789'));
    const { etag } = (await kept.head('a'))!;
    using whole = await kept.get('a', { ifMatch: etag });
    expect(String(Buffer.concat(await all(whole!.bytes)))).toBe('0123456789');
    using part = await kept.get('a', { start: 2, end: 5 });
    expect(String(Buffer.concat(await all(part!.bytes)))).toBe('234');
    expect(part!.size).toBe(10);
    expect(await kept.get('a', { ifMatch: 'another' })).toBeUndefined();
  });

  it('is kept where only the answer to the completion was lost', async () => {
    await using front = await startS3Front(server.endpoint);
    const { bucket, kept } = await newKept(IN_PARTS, front.endpoint);
    front.cutAnswer = ({ method, url = '' }) => method === 'POST' && url.includes('uploadId=');
    const content = randomBytes(6 * MIB);
    using body = await spooled(await newSpool(), content);
    expect(await kept.put('a', body, HEAD, { signal: NEVER })).toBe('kept');
    expect((await contentOf(bucket, 'p/a'))!.equals(content)).toBe(true);
  });

  it('is put once more where a stream was cut', async () => {
    await using front = await startS3Front(server.endpoint);
    const { bucket, kept } = await newKept(STREAMED, front.endpoint);
    let puts = 0;
    front.refuse = ({ method, url = '' }) =>
      method === 'PUT' && url.includes('/p/a') && puts++ === 0
        ? { status: 503, code: 'SlowDown' }
        : undefined;
    const content = randomBytes(MIB);
    using body = await spooled(await newSpool(), content);
    expect(await kept.put('a', body, HEAD, { signal: NEVER })).toBe('kept');
    expect((await contentOf(bucket, 'p/a'))!.equals(content)).toBe(true);
    expect(puts).toBe(2);
  });

  it('aborts the upload where a part can not be put', async () => {
    await using front = await startS3Front(server.endpoint);
    const { bucket, kept } = await newKept(IN_PARTS, front.endpoint);
    front.refuse = ({ url = '' }) =>
      url.includes('partNumber=2') ? { status: 403, code: 'AccessDenied' } : undefined;
    using body = await spooled(await newSpool(), randomBytes(12 * MIB));
    await expect(kept.put('a', body, HEAD, { signal: NEVER })).rejects.toMatchObject({
      code: 'STORE_REFUSED',
    });
    expect(await all(listUploads(bucket, ''))).toEqual([]);
    expect(await headObject(bucket, 'p/a')).toBeUndefined();
  });

  it('says which metadata it leaves out', async () => {
    const { bucket, kept, log } = await newKept();
    using body = await spooled(await newSpool(), Buffer.from('a'));
    const metadata = { large: 'x'.repeat(3000), name: 'Gr\xfc\xdfe' };
    expect(await kept.put('a', body, { ...HEAD, metadata }, { signal: NEVER })).toBe('kept');
    expect((await headObject(bucket, 'p/a'))!.metadata['name']).toBe('=?UTF-8?B?R3LDvMOfZQ==?=');
    expect(log.at('warn')).toMatchObject([{ fields: { key: 'a', dropped: ['large'] } }]);
  });

  it('removes stale uploads of ours, and nobody else’s', async () => {
    await using front = await startS3Front(server.endpoint);
    const { bucket, kept } = await newKept(IN_PARTS, front.endpoint);
    // As a killed process leaves it: a part is there, and nobody aborts.
    front.ignore = ({ method, url = '' }) => method === 'DELETE' || url.includes('partNumber=2');
    const stops = new AbortController();
    using body = await spooled(await newSpool(), randomBytes(6 * MIB));
    const putting = kept.put('ours', body, HEAD, { signal: stops.signal });
    putting.catch(() => undefined);
    const isAnswered = ({ url }: { url: string }): boolean => url.includes('partNumber=1');
    await expect.poll(() => front.answered.some(isAnswered)).toBe(true);
    const direct = bucketAt(server, { bucket: bucket.name });
    const others = await startUpload(direct, 'p/others');
    await putPart(direct, others, 1, bodyOf(Buffer.alloc(SMALL_PART)));
    const empty = await startUpload(direct, 'p/empty');
    const swept = openKeptBucket({ bucket: direct, prefix: 'p/', log: new RecordingLog(), isAws: false });
    const outside = openKeptBucket({ bucket: direct, prefix: 'q/', log: new RecordingLog(), isAws: false });
    expect(await swept.removeStaleUploads(3_600_000, NEVER)).toBe(0);
    await setTimeout(1_100);
    expect(await outside.removeStaleUploads(0, NEVER)).toBe(0);
    expect(await swept.removeStaleUploads(1_000, NEVER)).toBe(1);
    const left = await all(listUploads(direct, ''));
    expect(left.map(({ uploadId }) => uploadId).sort()).toEqual([others.uploadId, empty.uploadId].toSorted());
    stops.abort(new Error('over'));
  });

  it('lets the application win, 200 of 200', { timeout: 600_000 }, async () => {
    const { bucket, kept } = await newKept(STREAMED);
    const spool = await newSpool();
    const mine = bodyOf('the application');
    let won = 0;
    const tries = Array.from({ length: 200 }, (_, index) => index);
    await Promise.all(
      Array.from({ length: 4 }, async () => {
        for (let index = tries.pop(); index !== undefined; index = tries.pop()) {
          const key = `k${index}`;
          // From memory and as a stream; the application comes at any moment of the PUT, or before.
          using body = await spooled(spool, randomBytes(index % 2 === 0 ? 900 : 2_000_000));
          const filling = kept.put(key, body, HEAD, { signal: NEVER });
          await setTimeout(Math.random() * (index % 2 === 0 ? 10 : 60));
          await putObject(bucket, `p/${key}`, mine);
          await filling;
          if (String(await contentOf(bucket, `p/${key}`)) === 'the application') won += 1;
        }
      }),
    );
    expect(won).toBe(200);
    expect(await all(listObjects(bucket, 'p/k'))).toHaveLength(200);
  });
});
