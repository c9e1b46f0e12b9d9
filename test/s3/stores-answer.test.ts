import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { lookAtHead, lookAtObject } from '../../src/s3/look.ts';
import { Bucket } from '../../src/s3/requests.ts';

const OBJECT = {
  etag: '"0cc175b9c0f1b6a831c399e269772661"',
  'last-modified': 'Mon, 05 Jan 2026 00:00:00 GMT',
  'content-length': '4',
};
const PAGE = { ...OBJECT, 'content-type': 'text/html; charset=utf-8' };
const NAMED = { ...PAGE, 'x-amz-request-id': 'tx1' };

/** The bucket b of a server that answers for a key as `answer` says, with 404 where it says nothing. */
async function bucketOf(answer: (key: string) => Record<string, string> | undefined): Promise<Bucket> {
  const server = createServer((request, response) => {
    request.resume();
    tell(response, request.method === 'HEAD', answer((request.url ?? '').replace(/^\/b\/|\?.*$/g, '')));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const bucket = new Bucket({
    bucket: 'b',
    endpoint: `http://127.0.0.1:${port}`,
    credentials: { accessKeyId: 'x', secretAccessKey: 'x' },
  });
  onTestFinished(() => {
    bucket[Symbol.dispose]();
    server.closeAllConnections();
    server.close();
  });
  return bucket;
}

function tell(response: ServerResponse, isHead: boolean, headers: Record<string, string> | undefined): void {
  if (headers === undefined) response.writeHead(404).end();
  else response.writeHead(200, headers).end(isHead ? undefined : 'page');
}

async function looks(bucket: Bucket, key: string): Promise<unknown[]> {
  const got = await lookAtObject(bucket, key).catch((error: unknown) => error);
  const quick = await lookAtObject(bucket, key, { isQuick: true }).catch((error: unknown) => error);
  for (const each of [got, quick])
    if (typeof each === 'object' && each !== null && 'bytes' in each)
      (each as unknown as Disposable)[Symbol.dispose]();
  return [got, quick, await lookAtHead(bucket, key).catch((error: unknown) => error)];
}

const FOREIGN = {
  code: 'UNREACHABLE',
  retryable: true,
  message: expect.stringContaining('something that is no object store answers'),
};
const FOUND = { etag: '0cc175b9c0f1b6a831c399e269772661', size: 4 };

it('takes no page for an object that comes for every key, whatever headers it has', async () => {
  const bucket = await bucketOf(() => PAGE);
  expect(await looks(bucket, 'k')).toMatchObject([FOREIGN, FOREIGN, FOREIGN]);
});

it('takes nothing for an object without the name of the request, where the store names them', async () => {
  let isAway = false;
  const { 'content-type': _, ...plain } = PAGE;
  const bucket = await bucketOf(() => (isAway ? plain : NAMED));
  expect(await looks(bucket, 'k')).toMatchObject([FOUND, FOUND, FOUND]);
  isAway = true;
  expect(await looks(bucket, 'k')).toMatchObject([FOREIGN, FOREIGN, FOREIGN]);
  isAway = false;
  expect(await looks(bucket, 'k')).toMatchObject([FOUND, FOUND, FOUND]);
});

it('takes the pages of a store that names no requests', async () => {
  const bucket = await bucketOf((key) => (key === 'index.html' ? PAGE : undefined));
  expect(await looks(bucket, 'index.html')).toMatchObject([FOUND, FOUND, FOUND]);
});
