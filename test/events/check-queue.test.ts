import { ReceiveMessageCommand } from '@aws-sdk/client-sqs';
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
    hasReceived: true,
  });
  const { ready, inFlight } = await queue.inspect();
  expect({ ready: ready.toSorted(), inFlight }).toEqual({ ready: ['one', 'two'], inFlight: [] });
});

it('costs one message one delivery, however many wait', async () => {
  const queue = await server.makeQueue();
  await queue.send(['one', 'two', 'three']);
  await checkQueue({ ...optionsFor(server, proxy.endpoint), queue: parseQueue(queue.name) });
  const { Messages = [] } = await server.client.send(
    new ReceiveMessageCommand({
      QueueUrl: queue.url,
      MaxNumberOfMessages: 10,
      MessageSystemAttributeNames: ['ApproximateReceiveCount'],
    }),
  );
  const counts = Messages.map(({ Attributes }) => Attributes?.ApproximateReceiveCount ?? '');
  expect(counts.toSorted()).toEqual(['1', '1', '2']);
});

it('receives none where one delivery is all that a message has, and tries that right on an empty queue', async () => {
  const dead = await server.makeQueue();
  const RedrivePolicy = JSON.stringify({ deadLetterTargetArn: dead.arn, maxReceiveCount: 1 });
  const queue = await server.makeQueue({ RedrivePolicy });
  const options = { ...optionsFor(server, proxy.endpoint), queue: parseQueue(queue.name) };
  expect(await checkQueue(options)).toMatchObject({ maxDeliveries: 1, hasReceived: true });
  await queue.send(['one']);
  expect(await checkQueue(options)).toMatchObject({ maxDeliveries: 1, hasReceived: false });
  const { Messages = [] } = await server.client.send(new ReceiveMessageCommand({ QueueUrl: queue.url }));
  expect(Messages.map(({ Body }) => Body)).toEqual(['one']);
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
