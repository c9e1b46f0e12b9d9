import { expect, it } from 'vitest';
import { abortUpload, listParts, listUploads, putPart, startUpload } from '../../src/s3/multipart.ts';
import { listObjects, putObject } from '../../src/s3/objects.ts';
import { startS3Front } from '../../harness/s3-front.ts';
import { withS3Server } from '../../harness/s3-server.ts';
import { all, bodyOf, bucketAt, SMALL_PART } from './buckets.ts';

const KEYS = ['f + 1', 'f%202', 'f&3', 'f\u00014', 'f ä5'].map((name) => `page/${name}`).sort();

await withS3Server((server) => {
  const inPagesOfTwo = async () => bucketAt(server, { bucket: await server.makeBucket() }, { page: 2 });

  it('tells all objects', async () => {
    const bucket = await inPagesOfTwo();
    for (const key of KEYS) await putObject(bucket, key, bodyOf(key));
    expect((await all(listObjects(bucket, 'page/'))).map(({ key }) => key).sort()).toEqual(KEYS);
    expect(await all(listObjects(bucket, 'other/'))).toEqual([]);
  });

  it('tells all uploads, also several of one key', async () => {
    const bucket = await inPagesOfTwo();
    const started = [];
    for (const key of [...KEYS, KEYS[0]!, KEYS[0]!]) started.push(await startUpload(bucket, key));
    const listed = (await all(listUploads(bucket, 'page/'))).map(({ key, uploadId }) => ({ key, uploadId }));
    expect(listed).toHaveLength(started.length);
    expect(listed).toEqual(expect.arrayContaining(started));
    for (const upload of [...started, ...started]) await abortUpload(bucket, upload);
    expect(await all(listUploads(bucket, 'page/'))).toEqual([]);
  });

  it('tells all parts of an upload', async () => {
    const bucket = await inPagesOfTwo();
    const upload = await startUpload(bucket, 'parts');
    let sent = 0;
    const body = { ...bodyOf(Buffer.alloc(SMALL_PART)), sent: () => void sent++ };
    for (const number of [3, 1, 5, 2, 4]) await putPart(bucket, upload, number, body);
    expect(sent).toBe(5);
    const listed = await all(listParts(bucket, upload));
    expect(listed.map(({ number }) => number)).toEqual([1, 2, 3, 4, 5]);
    expect(listed[4]).toEqual({
      number: 5,
      size: SMALL_PART,
      etag: expect.stringMatching(/^[0-9a-f]{32}$/),
      modifiedMs: expect.any(Number),
    });
    await abortUpload(bucket, upload);
    expect(await all(listParts(bucket, upload))).toEqual([]);
  });

  it('asks for a page when the one before has been taken, and no more once it is left', async () => {
    await using front = await startS3Front(server.endpoint);
    const access = { bucket: await server.makeBucket(), endpoint: front.endpoint };
    const bucket = bucketAt(server, access, { page: 2 });
    for (const key of KEYS) await putObject(bucket, key, bodyOf(key));
    const before = front.asked.length;
    for await (const { key } of listObjects(bucket, 'page/')) {
      expect(KEYS).toContain(key);
      break;
    }
    expect(front.asked.length).toBe(before + 1);
  });

  it('ends where the server tells the same page again', async () => {
    const bucket = await inPagesOfTwo();
    const pages = bucket.pages(
      async (_mark?: { readonly token: string }) => 'page',
      () => ({ token: 'the same' }),
    );
    await expect(all(pages)).rejects.toMatchObject({ code: 'STORE_FAILED', retryable: true });
  });
});
