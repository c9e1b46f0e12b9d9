import { afterAll, expect, it } from 'vitest';
import { parseQueue } from '../../src/config/queue-address.ts';
import { openSqsSource } from '../../src/events/sqs/open-sqs-source.ts';
import { startSqsServer } from '../../harness/sqs-server.ts';
import { eventually, optionsFor, receiveAll, receiveOne, startRival, startStand } from './sqs-support.ts';

const server = await startSqsServer();
afterAll(async () => await server[Symbol.asyncDispose]());

const EMPTY = { ready: [], inFlight: [] };

it('tells each message, and deletes those that are acknowledged', async () => {
  await using stand = await startStand(server);
  const { queue, source } = stand;
  const bodies = Array.from({ length: 25 }, (_, index) => `body ${index}`);
  const beforeMs = Date.now();
  await queue.send(bodies);
  const told = await receiveAll(source, 25);
  expect(told.map(({ body }) => body).toSorted()).toEqual(bodies.toSorted());
  expect(new Set(told.map(({ id }) => id)).size).toBe(25);
  expect(told.every(({ attempt }) => attempt === 1)).toBe(true);
  expect(told.every(({ sentMs }) => sentMs! >= beforeMs && sentMs! <= Date.now())).toBe(true);
  expect(source.inHand).toBe(25);
  await Promise.all(told.map(async (each) => await each.ack()));
  expect(source.inHand).toBe(0);
  expect(await queue.inspect()).toEqual(EMPTY);
});

it('resolves with nothing when a whole poll found nothing', async () => {
  await using stand = await startStand(server);
  expect(await stand.source.receive()).toEqual([]);
});

it('gathers into one call what is acknowledged while another is under way', async () => {
  await using stand = await startStand(server);
  const { queue, source, proxy } = stand;
  await queue.send(Array.from({ length: 10 }, (_, index) => `body ${index}`));
  const [first, ...others] = await receiveAll(source, 10);
  proxy.delayMs = 300;
  const acks = [first!.ack()];
  await eventually(() => expect(proxy.callsOf('DeleteMessageBatch')).toHaveLength(1));
  acks.push(...others.map(async (each) => await each.ack()));
  await Promise.all(acks);
  expect(proxy.callsOf('DeleteMessageBatch').map(({ entries }) => entries.length)).toEqual([1, 9]);
});

it('delivers again what is released, after its delay, and counts the attempts', async () => {
  await using stand = await startStand(server);
  const { queue, source } = stand;
  await queue.send(['a']);
  const first = await receiveOne(source);
  await first.release(0);
  const second = await receiveOne(source);
  expect([first.attempt, second.attempt]).toEqual([1, 2]);
  expect(second.id).toBe(first.id);
  const releasedMs = performance.now();
  await second.release(2000);
  expect(await queue.inspect()).toEqual({ ready: [], inFlight: ['a'] });
  const third = await receiveOne(source);
  expect(performance.now() - releasedMs).toBeGreaterThan(1900);
  expect(third.attempt).toBe(3);
  await third.ack();
  expect(await queue.inspect()).toEqual(EMPTY);
});

it('ends a message once, however often it is asked to', async () => {
  await using stand = await startStand(server);
  const { queue, source, proxy } = stand;
  await queue.send(['a']);
  const delivery = await receiveOne(source);
  await Promise.all([delivery.ack(), delivery.ack(), delivery.release(0)]);
  expect(proxy.callsOf('DeleteMessageBatch')).toHaveLength(1);
  expect(proxy.callsOf('ChangeMessageVisibilityBatch')).toHaveLength(0);
});

it('polls long, ten messages a call, and ends a poll at once when its signal fires', async () => {
  await using stand = await startStand(server, { waitSeconds: undefined });
  const { source, proxy } = stand;
  const stop = new AbortController();
  const poll = source.receive({ signal: stop.signal });
  await eventually(() =>
    expect(proxy.callsOf('ReceiveMessage')).toMatchObject([
      { body: { WaitTimeSeconds: 20, MaxNumberOfMessages: 10 } },
    ]),
  );
  const reason = new Error('enough');
  stop.abort(reason);
  await expect(poll).rejects.toBe(reason);
});

it('finds a queue by name, by URL and by ARN', async () => {
  const made = await server.makeQueue();
  for (const queue of [made.name, made.url, made.arn]) {
    await using source = await openSqsSource({ ...optionsFor(server), queue: parseQueue(queue) });
    await made.send([queue]);
    const delivery = await receiveOne(source);
    expect(delivery.body).toBe(queue);
    await delivery.ack();
  }
});

it('finds the server by the URL of the queue alone', async () => {
  const queue = await server.makeQueue();
  await using source = await openSqsSource({
    ...optionsFor(server),
    endpoint: undefined,
    queue: parseQueue(queue.url),
  });
  await queue.send(['a']);
  expect((await receiveOne(source)).body).toBe('a');
});

it("asks for another account's queue in the region of its ARN", async () => {
  await using stand = await startStand(server);
  const { proxy } = stand;
  const options = { ...optionsFor(server, proxy.endpoint), region: 'us-west-2' };
  const queue = stand.queue.arn.replace(':aws:', ':aws-cn:').replace('000000000000', '123456789012');
  await using source = await openSqsSource({ ...options, queue: parseQueue(queue) });
  expect(source.where).toContain(queue);
  expect(proxy.callsOf('GetQueueUrl').at(-1)?.body).toEqual({
    QueueName: stand.queue.name,
    QueueOwnerAWSAccountId: '123456789012',
  });
});

it('knows after how many deliveries the queue moves a message elsewhere', async () => {
  const dead = await server.makeQueue();
  const policy = (count: unknown) => ({
    RedrivePolicy: JSON.stringify({ deadLetterTargetArn: dead.arn, maxReceiveCount: count }),
  });
  await using first = await startStand(server, { attributes: policy('4') });
  await using second = await startStand(server, { attributes: policy(7) });
  await using none = await startStand(server);
  expect([first, second, none].map(({ source }) => source.maxDeliveries)).toEqual([4, 7, undefined]);
});

it('keeps the order of a FIFO queue', async () => {
  await using stand = await startStand(server, { name: 'ordered.fifo' });
  const { queue, source } = stand;
  expect(source.isFifo).toBe(true);
  await queue.send(['1', '2', '3'], 'one');
  const first = await receiveOne(source);
  expect(first.body).toBe('1');
  await first.release(0);
  for (const body of ['1', '2', '3']) {
    const delivery = await receiveOne(source);
    expect(delivery.body).toBe(body);
    await delivery.ack();
  }
});

it('gives back what is in hand when it is closed, for others to have at once', async () => {
  const stand = await startStand(server, { attributes: { VisibilityTimeout: '600' } });
  const { queue, source } = stand;
  const bodies = Array.from({ length: 35 }, (_, index) => `body ${index}`);
  await queue.send(bodies);
  const told = await receiveAll(source, 35);
  const acks = told.slice(0, 5).map(async (each) => await each.ack());
  await stand[Symbol.asyncDispose]();
  await Promise.all(acks);
  expect(source.inHand).toBe(0);
  const rest = told.slice(5).map(({ body }) => body);
  const rival = startRival(server, queue);
  await eventually(() => expect(rival.received.toSorted()).toEqual(rest.toSorted()));
  await told.at(-1)!.ack();
  await expect(source.receive()).rejects.toMatchObject({ code: 'INTERRUPTED' });
});

it('waits no longer than its bound for a queue that does not answer while it is closed', async () => {
  const stand = await startStand(server, { closeWithinMs: 300 });
  const { queue, source, proxy, log } = stand;
  await queue.send(['a', 'b']);
  const [first] = await receiveAll(source, 2);
  proxy.fault = () => 'cut';
  const ack = first!.ack();
  await source[Symbol.asyncDispose]();
  await ack;
  expect(log.at('warn').at(-1)).toMatchObject({ fields: { messages: 2 } });
  await stand[Symbol.asyncDispose]();
});

it('begins to close with the cut, and lets those go that wait for a queue that does not answer', async () => {
  const cut = new AbortController();
  const stand = await startStand(server, { cut: cut.signal, closeWithinMs: 600_000 });
  const { queue, source, proxy } = stand;
  await queue.send(['a', 'b']);
  const [first, second] = await receiveAll(source, 2);
  proxy.fault = () => 'cut';
  const ended = [first!.ack(), second!.release(0)];
  cut.abort();
  await Promise.all(ended);
  expect(source.inHand).toBe(0);
  await stand[Symbol.asyncDispose]();
});

it('writes one line a poll', async () => {
  await using stand = await startStand(server);
  const { queue, source, log } = stand;
  await queue.send(['a']);
  await (await receiveOne(source)).ack();
  expect(log.messages).toEqual(['polled the queue']);
});
