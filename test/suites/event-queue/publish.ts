import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { until } from '../../../harness/process.ts';
import type { EventQueue } from '../../../src/events/queue/event-queue.ts';
import { ackAll, idOf, messages, type Subject } from './subject.ts';

/** Publishers at once. */
const PUBLISHERS = 64;

const faultOf = (call: Promise<unknown>): Promise<unknown> =>
  call.then(
    () => 'no fault',
    (error: unknown) => error,
  );

export function publishSuite(subject: Subject): void {
  describe('publish', () => {
    it('delivers each message whole, for the first time, with its time', async () => {
      const beforeMs = Date.now();
      await subject.queue.publish([
        { id: 'a', body: 'Ä 𝄞 \0 "' },
        { id: 'b', body: '' },
      ]);
      const deliveries = await subject.receive(2);
      expect(deliveries.map(({ id, body, attempt }) => [id, body, attempt])).toEqual([
        ['a', 'Ä 𝄞 \0 "', 1],
        ['b', '', 1],
      ]);
      // By the clock of the queue, which is of this machine; the broker's may be cut to a second.
      for (const { sentMs } of deliveries) expect(sentMs).toBeGreaterThanOrEqual(beforeMs - 1000);
      for (const { sentMs } of deliveries) expect(sentMs).toBeLessThanOrEqual(Date.now() + 1000);
    });

    it('takes any text', async () => {
      let count = 0;
      const text = fc.string({ unit: 'binary', maxLength: 100 });
      const check = async (bodies: readonly string[]): Promise<void> => {
        const sent = bodies.map((body) => ({ id: `text-${count++}`, body }));
        await subject.queue.publish(sent);
        const deliveries = await subject.receive(sent.length);
        await ackAll(deliveries);
        expect(deliveries.map(({ id, body }) => ({ id, body }))).toEqual(sent);
      };
      const bodies = fc.array(text, { minLength: 1, maxLength: 20 });
      await fc.assert(fc.asyncProperty(bodies, check), { numRuns: 20 });
    });

    it('takes bodies of hundreds of KiB', async () => {
      const body = 'ä'.repeat(450_000);
      await subject.queue.publish(messages(8).map(({ id }) => ({ id, body })));
      const deliveries = await subject.receive(8);
      expect(deliveries.every((delivery) => delivery.body === body)).toBe(true);
    });

    it('of many at once delivers each once, to whichever of several receives', async () => {
      const each = 40;
      const publishers = Array.from({ length: PUBLISHERS }, async (_, publisher) => {
        for (const message of messages(each, `p${publisher}-`)) await subject.queue.publish([message]);
      });
      const seen: string[] = [];
      const ended = new AbortController();
      const readers = Array.from({ length: 4 }, async () => {
        while (!ended.signal.aborted) {
          const deliveries = await subject.queue.receive({ signal: ended.signal }).catch(() => []);
          seen.push(...deliveries.map(idOf));
          await ackAll(deliveries);
        }
      });
      await Promise.all(publishers);
      await until('all to be delivered', () => seen.length >= PUBLISHERS * each);
      ended.abort();
      await Promise.all(readers);
      expect(new Set(seen).size).toBe(PUBLISHERS * each);
      expect(seen).toHaveLength(PUBLISHERS * each);
      await until('the queue to be empty', async () => (await subject.queue.counts()).waiting === 0);
    });

    it('of nothing resolves', async () => {
      await subject.queue.publish([]);
      expect(await subject.queue.counts()).toMatchObject({ waiting: 0, inHand: 0, dead: 0 });
    });

    it('refuses an id that is empty, long, or has what no header can, and a body too large', async () => {
      for (const id of ['', 'x'.repeat(201), 'a b', 'ä', 'a\r\nb'])
        expect(await faultOf(subject.queue.publish([{ id, body: '' }]))).toMatchObject({
          code: 'EVENT_INVALID',
          retryable: false,
        });
      const body = 'x'.repeat(17 * 1024 * 1024);
      expect(await faultOf(subject.queue.publish([{ id: 'large', body }]))).toMatchObject({
        code: 'EVENT_INVALID',
      });
      expect(await subject.queue.counts()).toMatchObject({ waiting: 0 });
    });
  });

  describe('an id that was published lately', () => {
    it('is there once: within one publish, at once, after another, after a restart', async () => {
      const [a, b] = [
        { id: 'a', body: 'first' },
        { id: 'b', body: 'b' },
      ];
      await subject.queue.publish([a, { ...a, body: 'second' }]);
      await Promise.all(Array.from({ length: 8 }, () => subject.queue.publish([b])));
      await subject.reopen();
      await subject.queue.publish([a, b, { id: 'c', body: 'c' }]);
      const deliveries = await subject.receive(3);
      expect(deliveries.map(({ id, body }) => [id, body])).toEqual([
        ['a', 'first'],
        ['b', 'b'],
        ['c', 'c'],
      ]);
    });

    it('does not come again once it is done', async () => {
      await subject.queue.publish(messages(1, 'a'));
      await ackAll(await subject.receive(1));
      await subject.queue.publish([...messages(1, 'a'), ...messages(1, 'b')]);
      expect((await subject.receive(1)).map(idOf)).toEqual(['b0']);
      expect(await subject.queue.counts()).toMatchObject({ waiting: 0, inHand: 1 });
    });
  });

  describe('a queue at its limit', () => {
    it('refuses for now, forgets nothing, and takes again when there is room', async () => {
      await subject.reopen({ maxMessages: 10 });
      await subject.queue.publish(messages(10));
      const more = messages(1, 'more');
      expect(await faultOf(subject.queue.publish(more))).toMatchObject({
        code: 'STORE_FULL',
        retryable: true,
      });
      const deliveries = await subject.receive(10);
      expect(await faultOf(subject.queue.publish(more))).toMatchObject({ code: 'STORE_FULL' });
      await ackAll(deliveries);
      // That it was refused is no reason to take it for one that was published.
      await published(subject.queue, more);
      expect((await subject.receive(1)).map(idOf)).toEqual(['more0']);
    });
  });
}

/** Where a broker counts a little later. */
async function published(queue: EventQueue, more: Parameters<EventQueue['publish']>[0]): Promise<void> {
  await until('room', async () => (await faultOf(queue.publish(more))) === 'no fault');
}
