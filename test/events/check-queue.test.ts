import { afterAll, beforeAll, expect, it } from 'vitest';
import { ACCESS_DENIED, startSqsProxy, type SqsProxy } from '../../harness/sqs-proxy.ts';
import { startSqsServer, type SqsServer } from '../../harness/sqs-server.ts';
import { parseQueue } from '../../src/config/queue-address.ts';
import { checkQueue } from '../../src/events/sqs/check-queue.ts';
import { optionsFor } from './sqs-support.ts';

let server: SqsServer;
let proxy: SqsProxy;
beforeAll(async () => {
  server = await startSqsServer();
  proxy = await startSqsProxy(server.endpoint);
});
afterAll(async () => {
  await proxy[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
});

it('tries what a pull does, and leaves each message to whoever receives it next', async () => {
  const queue = await server.makeQueue({ VisibilityTimeout: '45' });
  await queue.send(['one', 'two']);
  expect(await checkQueue({ ...optionsFor(server, proxy.endpoint), queue: parseQueue(queue.name) })).toEqual({
    where: expect.stringContaining(queue.name),
    visibilitySeconds: 45,
    isFifo: false,
    maxDeliveries: undefined,
  });
  const { ready, inFlight } = await queue.inspect();
  expect({ ready: ready.toSorted(), inFlight }).toEqual({ ready: ['one', 'two'], inFlight: [] });
});

it.each(['GetQueueUrl', 'GetQueueAttributes', 'ReceiveMessage', 'ChangeMessageVisibility', 'DeleteMessage'])(
  'says what to grant where a right is missing: sqs:%s',
  async (right) => {
    const queue = await server.makeQueue();
    proxy.fault = ({ action }) => (action.replace(/Batch$/, '') === right ? ACCESS_DENIED : undefined);
    await expect(
      checkQueue({ ...optionsFor(server, proxy.endpoint), queue: parseQueue(queue.name) }),
    ).rejects.toMatchObject({
      code: 'STORE_REFUSED',
      message: expect.stringContaining(`lack sqs:${right} on the queue`),
      hint: expect.stringContaining(`Grant sqs:${right};`),
    });
  },
);
