import { expect, it, onTestFinished } from 'vitest';
import { startS3Front } from '../../harness/s3-front.ts';
import { withS3Server } from '../../harness/s3-server.ts';
import { getRange, lookAtHead, lookAtObject, readRange } from '../../src/s3/look.ts';
import { checkListable, listObjects, putObject } from '../../src/s3/objects.ts';
import type { Bucket } from '../../src/s3/requests.ts';
import { all, bodyOf, bucketAt } from './buckets.ts';

const CONTENT = 'content';
const ACCOUNT = { bucketOwner: '123456789012', requestPayer: true };

await withS3Server((server) => {
  it.each<[string, (bucket: Bucket, etag: string) => Promise<unknown>]>([
    ['a look', async (bucket) => (await looked(bucket, false))[Symbol.dispose]()],
    ['a look past the SDK', async (bucket) => (await looked(bucket, true))[Symbol.dispose]()],
    ['a look at the head', (bucket) => lookAtHead(bucket, 'k', ACCOUNT)],
    ['a range', async (bucket, ifMatch) => (await getRange(bucket, 'k', range(ifMatch)))[Symbol.dispose]()],
    [
      'a range past the SDK',
      (bucket, ifMatch) => readRange(bucket, 'k', Buffer.alloc(CONTENT.length), range(ifMatch)),
    ],
    ['a listing', (bucket) => all(listObjects(bucket, '', ACCOUNT))],
    ['a try to list', (bucket) => checkListable(bucket, '', ACCOUNT)],
  ])('%s tells whose bucket it must be, and that it pays', async (_, ask) => {
    const front = await startS3Front(server.endpoint);
    onTestFinished(() => front[Symbol.asyncDispose]());
    const bucket = bucketAt(server, { bucket: await server.makeBucket(), endpoint: front.endpoint });
    const { etag } = await putObject(bucket, 'k', bodyOf(CONTENT));
    const told = new Set<string>();
    front.before = ({ headers }) =>
      void told.add([headers['x-amz-expected-bucket-owner'], headers['x-amz-request-payer']].join(' '));
    await ask(bucket, etag);
    expect([...told]).toEqual([`${ACCOUNT.bucketOwner} requester`]);
  });
});

function range(ifMatch: string) {
  return { ...ACCOUNT, ifMatch, start: 0, end: CONTENT.length };
}

async function looked(bucket: Bucket, isQuick: boolean): Promise<Disposable> {
  const found = await lookAtObject(bucket, 'k', { ...ACCOUNT, isQuick });
  if (found === 'same') throw new Error('no version is here');
  return found;
}
