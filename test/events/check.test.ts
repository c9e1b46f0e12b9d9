import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { BucketPool } from '../../src/events/action/bucket-pool.ts';
import type { CheckedQueue } from '../../src/events/sqs/check-queue.ts';
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

it.each([
  ['none', {}, 'ok', 'parked here'],
  ['a small one', { maxDeliveries: 3 }, 'warning', 'after 3 deliveries'],
  [
    'one of a queue without other readers',
    { maxDeliveries: 3, unmatched: 'discard' },
    'ok',
    'after 3 deliveries',
  ],
  ['one of a FIFO queue', { maxDeliveries: 3, isFifo: true }, 'ok', 'after 3 deliveries'],
] as const)('says what a redrive policy does to others: %s', async (_, told, level, message) => {
  const {
    maxDeliveries,
    isFifo = false,
    unmatched = 'release',
  } = { maxDeliveries: undefined, ...told } as Redrive;
  const found = await findingsOf('redrive policy', { maxDeliveries, isFifo }, unmatched);
  expect(found).toMatchObject([{ level, message: expect.stringContaining(message) }]);
  expect(found[0]?.hint?.includes('unmatched: discard') ?? false).toBe(level === 'warning');
});

it.each([
  ['release', true, 1],
  ['discard', true, 0],
  ['release', false, 0],
] as const)('says that a FIFO queue takes nothing back: %s, FIFO %s', async (unmatched, isFifo, count) => {
  const told = await findingsOf('order', { maxDeliveries: undefined, isFifo }, unmatched);
  expect(told).toHaveLength(count);
  for (const { level, message, hint } of told)
    expect([level, message, hint]).toEqual([
      'warning',
      expect.stringContaining('FIFO'),
      expect.stringContaining('discard'),
    ]);
});

/** What is found of one name where nothing but the queue is looked at. */
async function findingsOf(
  name: string,
  queue: Pick<CheckedQueue, 'maxDeliveries' | 'isFifo'>,
  unmatched: 'release' | 'discard',
): Promise<Finding[]> {
  using pool = new BucketPool({});
  const findings = check({
    queue: async () => ({ where: 'queue', visibilitySeconds: 30, hasReceived: true, ...queue }),
    pool,
    buckets: [],
    prefixes: [],
    folders: async () => [],
    minFreeBytes: 0,
    unmatched,
    requests: {},
  });
  const found: Finding[] = [];
  for await (const finding of findings) if (finding.name === name) found.push(finding);
  return found;
}

it('says where the right to receive was not tried, and why', async () => {
  using pool = new BucketPool({});
  const findings = check({
    queue: async () => ({
      where: 'queue',
      visibilitySeconds: 30,
      isFifo: false,
      maxDeliveries: 1,
      hasReceived: false,
    }),
    pool,
    buckets: [],
    prefixes: [],
    folders: async () => [],
    minFreeBytes: 0,
    unmatched: 'discard',
    requests: {},
  });
  const { value } = await findings.next();
  expect(value).toMatchObject({
    name: 'queue',
    level: 'warning',
    message: expect.stringContaining('can be received was not tried'),
    hint: expect.stringContaining('maxReceiveCount'),
  });
});

interface Redrive {
  readonly maxDeliveries: number | undefined;
  readonly isFifo?: boolean;
  readonly unmatched?: 'release' | 'discard';
}

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
    queue: async () => ({
      where: 'queue',
      visibilitySeconds: 30,
      isFifo: false,
      maxDeliveries: undefined,
      hasReceived: true,
    }),
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
