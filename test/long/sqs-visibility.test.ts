import { DeleteMessageCommand } from '@aws-sdk/client-sqs';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, expect, it } from 'vitest';
import { Random } from '../../harness/random.ts';
import type { SqsCall } from '../../harness/sqs-proxy.ts';
import { startSqsServer } from '../../harness/sqs-server.ts';
import { eventually, receiveAll, receiveOne, startRival, startStand } from '../events/sqs-support.ts';

const server = await startSqsServer();
afterAll(async () => await server[Symbol.asyncDispose]());

/** Of the queues here, in s: short, and enough for a busy machine. */
const TIMEOUT_S = 3;
const attributes = { VisibilityTimeout: String(TIMEOUT_S) };
const EMPTY = { ready: [], inFlight: [] };

/** The calls that change the visibility of one delivery, with what they set. */
function changesOf(calls: readonly SqsCall[], handle: string): { call: SqsCall; seconds: number }[] {
  return calls.flatMap((call) =>
    call.entries
      .filter(({ ReceiptHandle }) => ReceiptHandle === handle)
      .map(({ VisibilityTimeout }) => ({ call, seconds: VisibilityTimeout! })),
  );
}

function handlesOf(calls: readonly SqsCall[]): string[] {
  return calls.flatMap(({ answer }) =>
    ((answer?.['Messages'] ?? []) as { ReceiptHandle: string }[]).map(({ ReceiptHandle }) => ReceiptHandle),
  );
}

it('keeps all that is in hand from others for as long as work lasts', async () => {
  // Twenty calls a round, with the server in this process: a busy machine takes seconds for them.
  const seconds = 2 * TIMEOUT_S;
  await using stand = await startStand(server, { attributes: { VisibilityTimeout: String(seconds) } });
  const { queue, source, proxy } = stand;
  const bodies = Array.from({ length: 201 }, (_, index) => `body ${index}`);
  await queue.send(bodies);
  const told = await receiveAll(source, bodies.length);
  const rival = startRival(server, queue);
  // What is promised is a time: that work may take three times the timeout.
  await delay(3 * seconds * 1000);
  expect(rival.polls).toBeGreaterThan(seconds);
  await Promise.all(told.map(async (each) => await each.ack()));
  expect(await queue.inspect()).toEqual(EMPTY);
  expect(rival.received).toEqual([]);
  expect(told.every(({ attempt }) => attempt === 1)).toBe(true);
  const sizes = proxy.callsOf('ChangeMessageVisibilityBatch').map(({ entries }) => entries.length);
  expect(Math.max(...sizes)).toBe(10);
  // Eight rounds or nine of 201 messages, most of them in full calls.
  expect(sizes.length).toBeLessThan(9 * 30);
});

it('lets no extension run beside a release, or come after it', async () => {
  await using stand = await startStand(server, { attributes });
  const { queue, source, proxy } = stand;
  const random = new Random(7);
  await queue.send(Array.from({ length: 60 }, (_, index) => `body ${index}`));
  const told = await receiveAll(source, 60);
  const handles = handlesOf(proxy.calls);
  proxy.delayMs = 400;
  await Promise.all(
    told.map(async (each) => {
      await delay(random.below(TIMEOUT_S * 1000));
      await each.release(30_000);
    }),
  );
  expect(source.inHand).toBe(0);
  // Time for extensions that should not be.
  await delay(TIMEOUT_S * 1000);
  expect(await queue.inspect()).toMatchObject({ ready: [] });
  const all = proxy.callsOf('ChangeMessageVisibilityBatch');
  let extended = 0;
  for (const handle of handles) {
    const changes = changesOf(all, handle);
    extended += changes.length - 1;
    expect(changes.map(({ seconds }) => seconds)).toEqual([
      ...Array.from({ length: changes.length - 1 }, () => TIMEOUT_S),
      30,
    ]);
    const calls = changes.map(({ call }) => call);
    expect(calls.every(({ arrivedMs }, at) => at === 0 || arrivedMs >= calls[at - 1]!.answeredMs!)).toBe(
      true,
    );
  }
  expect(extended).toBeGreaterThan(10);
});

it('extends no longer what the queue does not know any more', async () => {
  await using stand = await startStand(server, { attributes });
  const { queue, source, proxy } = stand;
  await queue.send(['gone']);
  await receiveOne(source);
  const [gone] = handlesOf(proxy.calls);
  await queue.send(['kept']);
  await receiveOne(source);
  const kept = handlesOf(proxy.calls).at(-1)!;
  await server.client.send(new DeleteMessageCommand({ QueueUrl: queue.url, ReceiptHandle: gone }));
  await eventually(() =>
    expect(changesOf(proxy.callsOf('ChangeMessageVisibilityBatch'), kept).length).toBeGreaterThan(3),
  );
  expect(changesOf(proxy.callsOf('ChangeMessageVisibilityBatch'), gone!)).toHaveLength(1);
});

it('does not tell a message again that is in hand, and goes on with its new handle', async () => {
  await using stand = await startStand(server, { attributes });
  const { queue, source, proxy } = stand;
  await queue.send(['a']);
  const delivery = await receiveOne(source);
  proxy.fault = ({ action }) => (action === 'ChangeMessageVisibilityBatch' ? 'cut' : undefined);
  await eventually(async () => expect(await queue.inspect()).toEqual({ ready: ['a'], inFlight: [] }));
  const again = source.receive();
  await eventually(() => expect(handlesOf(proxy.calls)).toHaveLength(2));
  proxy.fault = undefined;
  expect(await again).toEqual([]);
  expect(source.inHand).toBe(1);
  const handle = handlesOf(proxy.calls)[1]!;
  await eventually(() =>
    expect(changesOf(proxy.callsOf('ChangeMessageVisibilityBatch'), handle).length).toBeGreaterThan(3),
  );
  await delivery.ack();
  expect(proxy.callsOf('DeleteMessageBatch').at(-1)?.entries).toMatchObject([{ ReceiptHandle: handle }]);
  expect(await queue.inspect()).toEqual(EMPTY);
});

it('tells a message again that came back before its release was confirmed', async () => {
  await using stand = await startStand(server, { attributes });
  const { queue, source, proxy } = stand;
  await queue.send(['a']);
  const first = await receiveOne(source);
  proxy.fault = ({ action }) => (action === 'ChangeMessageVisibilityBatch' ? 'cut answer' : undefined);
  const released = first.release(0);
  const second = await receiveOne(source);
  expect(second).toMatchObject({ id: first.id, attempt: 2 });
  await released;
  proxy.fault = undefined;
  expect(source.inHand).toBe(1);
  await second.ack();
  expect(await queue.inspect()).toEqual(EMPTY);
});

it('extends in time though a connection is dead', async () => {
  await using stand = await startStand(server, { attributes: { VisibilityTimeout: '9' } });
  const { queue, source, proxy } = stand;
  await queue.send(['a']);
  const delivery = await receiveOne(source);
  const rival = startRival(server, queue);
  let ignored = 0;
  proxy.fault = ({ action }) =>
    action === 'ChangeMessageVisibilityBatch' && ignored++ === 0 ? 'ignore' : undefined;
  const extended = () =>
    proxy.callsOf('ChangeMessageVisibilityBatch').filter(({ answer }) => answer !== undefined);
  await eventually(() => expect(extended().length).toBeGreaterThan(1));
  await delivery.ack();
  expect(rival.received).toEqual([]);
});
