import { expect, it, onTestFinished } from 'vitest';
import { digestOf } from '../../../src/model/digest.ts';
import { startS3Front } from '../../../harness/s3-front.ts';
import { withS3Server } from '../../../harness/s3-server.ts';
import { fileAt } from '../../suites/store/files.ts';
import { openStoreAt, SMALL_PART } from './stores.ts';

await withS3Server((server) => {
  it.each([
    { status: 429, code: 'TooManyRequests' },
    { status: 409, code: 'OperationAborted' },
  ])(
    'of an upload that the server puts off with $status keeps its parts for the next try',
    async (refusal) => {
      const front = await startS3Front(server.endpoint);
      const store = await openStoreAt(server, {
        bucket: await server.makeBucket(),
        endpoint: front.endpoint,
      });
      onTestFinished(async () => {
        await store[Symbol.asyncDispose]();
        await front[Symbol.asyncDispose]();
      });
      const content = Buffer.alloc(SMALL_PART + 1, 'content');
      const file = fileAt('edge1/DC1/large', content.length);
      const options = { algorithm: 'xxh64', resume: true } as const;
      const upload = await store.begin(file, options);
      await upload.write(content);
      front.refuse = ({ method, url }) =>
        method === 'POST' && url?.includes('uploadId=') ? refusal : undefined;
      await expect(upload.commit(digestOf('xxh64', content))).rejects.toMatchObject({
        code: 'BUSY',
        retryable: true,
      });
      front.refuse = undefined;
      const next = await store.begin(file, options);
      expect(next.offset).toBe(content.length);
      await next.commit(digestOf('xxh64', content));
      expect(await store.stat(file.path)).toEqual(file);
    },
  );
});
