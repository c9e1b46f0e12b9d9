import { expect, it, onTestFinished } from 'vitest';
import { digestOf } from '../../src/model/digest.ts';
import { startS3Front } from '../../harness/s3-front.ts';
import { withS3Server } from '../../harness/s3-server.ts';
import { digestIn, putBytes } from '../suites/store/files.ts';
import { openStoreAt } from '../store/s3/stores.ts';

/** More than a store has connections. */
const MANY = 64;

await withS3Server((server) => {
  it('takes files while very many are read, however long that takes', async () => {
    const front = await startS3Front(server.endpoint);
    const { promise: released, resolve: release } = Promise.withResolvers<void>();
    const store = await openStoreAt(server, {
      bucket: await server.makeBucket(),
      endpoint: front.endpoint,
    });
    onTestFinished(async () => {
      release();
      await store[Symbol.asyncDispose]();
      await front[Symbol.asyncDispose]();
    });
    const { path } = await putBytes(store, 'edge1/DC1/read', 'content');
    front.holdBody = ({ method }) => (method === 'GET' ? released : undefined);
    const digests = Promise.all(Array.from({ length: MANY }, () => digestIn(store, path)));
    await putBytes(store, 'edge2/DC1/f', 'x');
    release();
    expect(new Set((await digests).map(String))).toEqual(
      new Set([String(digestOf('xxh64', Buffer.from('content')))]),
    );
  });
});
