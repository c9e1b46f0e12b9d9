import { afterAll, expect, it } from 'vitest';
import { parseQueue } from '../../src/config/queue-address.ts';
import { openSqsSource } from '../../src/events/sqs/open-sqs-source.ts';
import { ACCESS_DENIED, startSqsProxy, THROTTLED, UNAVAILABLE, type Fault } from '../../harness/sqs-proxy.ts';
import { startSqsServer } from '../../harness/sqs-server.ts';
import { eventually, optionsFor, receiveAll, receiveOne, startStand } from '../events/sqs-support.ts';

const server = await startSqsServer();
afterAll(async () => await server[Symbol.asyncDispose]());

const EMPTY = { ready: [], inFlight: [] };
const INTERNAL = { code: 'InternalError', senderFault: false };
const PAGE = '<!DOCTYPE html>\n<html><body><p>Welcome<br></body></html>';

it('tries again to delete what a batch call failed, and only that', async () => {
  await using stand = await startStand(server);
  const { queue, source, proxy, log } = stand;
  await queue.send(Array.from({ length: 10 }, (_, index) => `body ${index}`));
  const told = await receiveAll(source, 10);
  proxy.failEntry = ({ Id }) =>
    Id === '3' && proxy.callsOf('DeleteMessageBatch').length === 1 ? INTERNAL : undefined;
  await Promise.all(told.map(async (each) => await each.ack()));
  const calls = proxy.callsOf('DeleteMessageBatch');
  expect(calls.map(({ entries }) => entries.length)).toEqual([10, 1]);
  expect(calls[1]!.entries[0]!.ReceiptHandle).toBe(calls[0]!.entries[3]!.ReceiptHandle);
  expect(await queue.inspect()).toEqual(EMPTY);
  expect(log.at('warn')).toEqual([]);
});

it('tries an entry so often and no more, and says which message comes again', async () => {
  await using stand = await startStand(server);
  const { queue, source, proxy, log } = stand;
  await queue.send(['a', 'b']);
  const [first, second] = await receiveAll(source, 2);
  const acks = [first!.ack(), second!.ack()];
  proxy.failEntry = ({ Id }) => (Id === '0' ? INTERNAL : undefined);
  await Promise.all(acks);
  expect(proxy.callsOf('DeleteMessageBatch').length).toBe(6);
  expect(log.at('warn')).toMatchObject([
    {
      message: 'a message that is done could not be deleted; it comes again',
      fields: { message: first!.id, attempt: 1, failure: { code: 'InternalError' } },
    },
  ]);
  expect(source.inHand).toBe(0);
  expect(await queue.inspect()).toEqual({ ready: [], inFlight: ['a'] });
});

it('does not try again with a handle that is not valid', async () => {
  await using stand = await startStand(server);
  const { queue, source, proxy, log } = stand;
  await queue.send(['a']);
  const delivery = await receiveOne(source);
  proxy.failEntry = () => ({ code: 'ReceiptHandleIsInvalid' });
  await delivery.ack();
  expect(proxy.callsOf('DeleteMessageBatch')).toHaveLength(1);
  expect(log.at('warn')).toHaveLength(1);
});

it('takes an entry that an answer does not name for one that failed', async () => {
  await using stand = await startStand(server);
  const { queue, source, proxy } = stand;
  await queue.send(['a']);
  const delivery = await receiveOne(source);
  // An empty object is what many servers say when they have nothing to say.
  let answered = 0;
  proxy.fault = ({ action }) =>
    action === 'DeleteMessageBatch' && answered++ === 0 ? { status: 200, page: '{}' } : undefined;
  await delivery.ack();
  expect(answered).toBe(2);
  expect(await queue.inspect()).toEqual(EMPTY);
});

it('waits for a queue that is cut off, and says so once', async () => {
  await using stand = await startStand(server, { attributes: { VisibilityTimeout: '3' } });
  const { queue, source, proxy, log } = stand;
  await queue.send(['a', 'b', 'c']);
  const [first, second, third] = await receiveAll(source, 3);
  proxy.fault = () => 'cut';
  proxy.cut();
  const polls = [source.receive(), source.receive()];
  const ends = [first!.ack(), second!.release(0)];
  // Longer than the timeout: what is in hand is anybody's by then.
  await eventually(async () => expect((await queue.inspect()).ready).toHaveLength(3));
  proxy.fault = undefined;
  await Promise.all(ends);
  const told = (await Promise.all(polls)).flat();
  while (told.length === 0) told.push(...(await source.receive()));
  expect(told.map(({ body }) => body)).toEqual(['b']);
  await Promise.all([third!.ack(), told[0]!.ack()]);
  await eventually(async () => {
    await source.receive();
    expect(source.inHand).toBe(0);
    expect(await queue.inspect()).toEqual(EMPTY);
  });
  expect(
    log.messages.filter((message) => message !== 'polled the queue' && !message.includes('held')),
  ).toEqual(['the queue can not be reached; trying again', 'the queue is reached again']);
});

it.each<[string, Fault]>([
  ['is throttled', THROTTLED],
  ['is not available', UNAVAILABLE],
  ['has a gateway whose server is down', { status: 502, page: PAGE }],
  ['finds the credentials expired', { status: 403, code: 'ExpiredTokenException' }],
  ['cuts the connection', 'cut'],
])('waits while the queue %s', async (_, fault) => {
  await using stand = await startStand(server);
  const { queue, source, proxy, log } = stand;
  proxy.fault = () => fault;
  const poll = receiveOne(source);
  await eventually(() => expect(log.at('warn')).toHaveLength(1));
  await queue.send(['a']);
  proxy.fault = undefined;
  const delivery = await poll;
  await delivery.ack();
  expect(delivery.body).toBe('a');
});

it('gives up after the time that it is given, with what another try might mend', async () => {
  const proxy = await startSqsProxy(server.endpoint);
  await using _ = proxy;
  const options = { ...optionsFor(server, proxy.endpoint), giveUpAfterMs: 300, queue: parseQueue('events') };
  const refusals: [Fault, object][] = [
    ['cut', { code: 'UNREACHABLE' }],
    [THROTTLED, { code: 'BUSY' }],
    [{ status: 403, code: 'InvalidClientTokenId' }, { code: 'STORE_REFUSED' }],
    [{ status: 500, code: 'InternalError' }, { code: 'STORE_FAILED' }],
    [
      { status: 200, page: PAGE },
      { code: 'UNREACHABLE', message: expect.stringContaining('no queue answers') },
    ],
    [
      { status: 404, page: PAGE },
      { code: 'UNREACHABLE', hint: expect.stringContaining('sqsEndpoint') },
    ],
    [
      { status: 403, page: PAGE },
      { code: 'UNREACHABLE', message: expect.stringContaining('HTTP status 403') },
    ],
    [{ status: 200, page: '{}' }, { code: 'UNREACHABLE' }],
    [{ status: 405, page: '' }, { code: 'UNREACHABLE' }],
  ];
  for (const [fault, refusal] of refusals) {
    proxy.fault = () => fault;
    await expect(openSqsSource(options)).rejects.toMatchObject({
      ...refusal,
      retryable: true,
      message: expect.not.stringMatching(/object store|bucket|\n|aws-sdk|JSON/),
    });
  }
});

it('says that there is no such queue', async () => {
  for (const queue of ['absent', `${server.endpoint}/000000000000/absent`])
    await expect(openSqsSource({ ...optionsFor(server), queue: parseQueue(queue) })).rejects.toMatchObject({
      code: 'STORE_MISSING',
      retryable: false,
      message: expect.stringMatching(/^there is no such queue \(.*absent/),
      hint: expect.stringContaining('isync makes none'),
    });
});

it('says that a queue is gone that was there', async () => {
  await using stand = await startStand(server);
  stand.proxy.fault = () => ({ status: 400, code: 'QueueDoesNotExist' });
  await expect(stand.source.receive()).rejects.toMatchObject({ code: 'STORE_MISSING', retryable: false });
});

it.each(['GetQueueUrl', 'GetQueueAttributes'])('says which right is missing: sqs:%s', async (right) => {
  const { name } = await server.makeQueue();
  const proxy = await startSqsProxy(server.endpoint);
  await using _ = proxy;
  proxy.fault = ({ action }) => (action === right ? ACCESS_DENIED : undefined);
  await expect(
    openSqsSource({ ...optionsFor(server, proxy.endpoint), queue: parseQueue(name) }),
  ).rejects.toMatchObject({
    code: 'STORE_REFUSED',
    retryable: false,
    message: expect.stringContaining(`the credentials lack sqs:${right} on the queue`),
    hint: expect.stringContaining(`Grant sqs:${right}`),
  });
});

it.each(['ReceiveMessage', 'DeleteMessage', 'ChangeMessageVisibility'])(
  'ends where a right is missing: sqs:%s',
  async (right) => {
    await using stand = await startStand(server);
    const { queue, source, proxy } = stand;
    await queue.send(['a', 'b']);
    const [first, second] = await receiveAll(source, 2);
    proxy.fault = ({ action }) => (action.startsWith(right) ? ACCESS_DENIED : undefined);
    await Promise.all([first!.ack(), second!.release(0)]);
    await expect(source.receive()).rejects.toMatchObject({
      code: 'STORE_REFUSED',
      retryable: false,
      hint: expect.stringContaining(`Grant sqs:${right}`),
    });
  },
);

it('leaves a message that was damaged on its way, and tells the others', async () => {
  await using stand = await startStand(server);
  const { source, proxy, log } = stand;
  const message = (id: string, MD5OfBody: string) => ({
    MessageId: id,
    ReceiptHandle: id,
    Body: 'a',
    MD5OfBody,
  });
  const Messages = [
    message('good', '0cc175b9c0f1b6a831c399e269772661'),
    message('bad', '0cc175b9c0f1b6a831c399e269772662'),
    { Body: 'no id' },
    message('upper', '0CC175B9C0F1B6A831C399E269772661'),
  ];
  proxy.fault = ({ action }) =>
    action === 'ReceiveMessage' ? { status: 200, page: JSON.stringify({ Messages }) } : undefined;
  const told = await source.receive();
  expect(told.map(({ id, attempt, sentMs }) => [id, attempt, sentMs])).toEqual([
    ['good', 1, undefined],
    ['upper', 1, undefined],
  ]);
  expect(log.at('warn')).toMatchObject([{ fields: { messages: 2 } }]);
});

it('does not ask a server in a loop that does not wait for messages', async () => {
  await using stand = await startStand(server);
  const { source, proxy } = stand;
  proxy.fault = ({ action }) => (action === 'ReceiveMessage' ? { status: 200, page: '{}' } : undefined);
  const beganMs = performance.now();
  expect(await source.receive()).toEqual([]);
  expect(await source.receive()).toEqual([]);
  expect(performance.now() - beganMs).toBeGreaterThan(1900);
});
