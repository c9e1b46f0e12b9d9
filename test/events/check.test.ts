import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { BucketPool } from '../../src/events/action/bucket-pool.ts';
import { check, type Finding } from '../../src/events/pull/check.ts';

const S3_HEADERS = { 'content-type': 'application/xml', 'x-amz-request-id': 'tx1' };

it('advises to grant a right only where that is what is lacking', async () => {
  const denied = await checked((_, response) =>
    response.writeHead(403, S3_HEADERS).end('<Error><Code>AccessDenied</Code><Message>no</Message></Error>'),
  );
  expect(denied.hint).toContain('Grant s3:ListBucket');
  const page = await checked((_, response) => response.writeHead(404).end('<html><br></html>'));
  expect(page.hint).toContain('endpoint');
});

it('waits no longer than somebody would for a store that never answers', async () => {
  const silent = await checked(() => {}, 200);
  expect(silent).toMatchObject({ level: 'warning', hint: expect.stringContaining('firewall') });
  expect(silent.message).toContain('no answer came within 0.2 s');
});

/** What a check tells of listing a bucket at a server that answers so. */
async function checked(answer: RequestListener, answerMs?: number): Promise<Finding> {
  const server = createServer(answer);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  using pool = new BucketPool({
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    credentials: { accessKeyId: 'x', secretAccessKey: 'x' },
  });
  const findings = check({
    queue: async () => ({ where: 'queue', visibilitySeconds: 30, isFifo: false, maxDeliveries: undefined }),
    pool,
    buckets: ['bucket'],
    prefixes: ['a/'],
    folders: async () => [],
    minFreeBytes: 0,
    unmatched: 'release',
    requests: { answerMs },
  });
  for await (const finding of findings) if (finding.name === 'bucket bucket') return finding;
  throw new Error('nothing was told of the bucket');
}
