import { expect, it } from 'vitest';
import { parseMessage } from '../../src/events/parse/parse-message.ts';
import type { QueueMessage } from '../../src/events/queue/event-queue.ts';
import { queueTaker } from '../../src/events/work/queue-taker.ts';
import { IsyncError } from '../../src/model/isync-error.ts';
import { messageOf, record } from './http-support.ts';

const ORIGIN = { messageId: 'm', attempt: 1, staysMs: 0, hasRedrive: false };

it('puts parked records that are taken again into the queue; what no worker could take stays parked', async () => {
  const published: QueueMessage[] = [];
  const taker = queueTaker(async (messages) => void published.push(...messages), new Set(['photos']));
  const body = messageOf(record('a'), record('b'), record('c', 'other'), { s3: 'no object' });
  const records = parseMessage(body, { keyEncoding: 'auto' });
  const verdicts = await Promise.all(records.map((each) => taker.take(each, ORIGIN)));
  expect(verdicts).toEqual(['settled', 'settled', 'parked', 'parked']);
  expect(published.map((each) => JSON.parse(each.body).Records[0].s3.object.key)).toEqual(['a', 'b']);
  expect(new Set(published.map(({ id }) => id)).size).toBe(2);
});

it('takes them later where the queue is full or away, and tells what is wrong for good', async () => {
  const trouble = [new IsyncError('STORE_FULL', 'full'), new IsyncError('INTERNAL', 'a fault')];
  const taker = queueTaker(async () => {
    throw trouble.shift();
  }, undefined);
  const [event] = parseMessage(messageOf(record('a')), { keyEncoding: 'auto' });
  expect(await taker.take(event!, ORIGIN)).toBe('later');
  await expect(taker.take(event!, ORIGIN)).rejects.toThrow('a fault');
});
