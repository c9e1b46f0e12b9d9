import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { S3Bucket, type Body } from '../../../src/store/s3/bucket.ts';
import { withS3Server } from '../../services/s3-server.ts';
import { SMALL_PART } from './stores.ts';

function bodyOf(bytes: Buffer): Body {
  return { bytes, md5: createHash('md5').update(bytes).digest('base64') };
}

async function all<T>(listed: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const each of listed) found.push(each);
  return found;
}

await withS3Server((server) => {
  describe('a bucket whose answers are in pages of two', () => {
    const attributes = { metadata: { a: 'b' } };
    const names = ['f + 1', 'f%202', 'f&3', 'f\u00014', 'f ä5'].map((name) => `page/${name}`).sort();
    let bucket: S3Bucket;

    beforeAll(async () => {
      Object.assign(process.env, server.env);
      bucket = new S3Bucket({ bucket: await server.makeBucket(), prefix: '', endpoint: server.endpoint }, 2);
    });
    afterAll(() => bucket[Symbol.dispose]());

    it('lists all objects', async () => {
      for (const key of names) await bucket.put(key, bodyOf(Buffer.from(key)), attributes);
      expect((await all(bucket.list('page/'))).map(({ key }) => key).sort()).toEqual(names);
    });

    it('lists all uploads, also several of one key', async () => {
      const started = [];
      for (const key of [...names, names[0]!, names[0]!])
        started.push({ key, uploadId: await bucket.startUpload(key, attributes) });
      const listed = (await all(bucket.listUploads('page/'))).map(({ key, uploadId }) => ({ key, uploadId }));
      expect(listed).toHaveLength(started.length);
      expect(listed).toEqual(expect.arrayContaining(started));
      for (const upload of started) await bucket.abort(upload);
      for (const upload of started) await bucket.abort(upload);
      expect(await all(bucket.listUploads('page/'))).toEqual([]);
    });

    it('lists all parts of an upload', async () => {
      const upload = { key: 'parts', uploadId: await bucket.startUpload('parts', attributes) };
      let sent = 0;
      const body = { ...bodyOf(Buffer.alloc(SMALL_PART)), sent: () => void sent++ };
      for (const number of [3, 1, 5, 2, 4]) await bucket.putPart(upload, number, body);
      expect(sent).toBe(5);
      const listed = await all(bucket.listParts(upload));
      expect(listed.map(({ number }) => number)).toEqual([1, 2, 3, 4, 5]);
      expect(listed[4]).toEqual({
        number: 5,
        size: SMALL_PART,
        etag: expect.stringMatching(/^[0-9a-f]{32}$/),
      });
      await bucket.abort(upload);
      expect(await all(bucket.listParts(upload))).toEqual([]);
    });

    it('has bytes checked by the server', async () => {
      const wrong = { ...bodyOf(Buffer.from('something')), bytes: Buffer.from('else') };
      await expect(bucket.put('wrong', wrong, attributes)).rejects.toMatchObject({
        code: 'STORE_FAILED',
        retryable: true,
      });
      expect(await bucket.head('wrong')).toBeUndefined();
    });
  });
});
