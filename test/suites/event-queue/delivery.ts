import { describe, expect, it } from 'vitest';
import { until } from '../../../harness/process.ts';
import { ackAll, idOf, messages, type Subject } from './subject.ts';

/** A delay that can be told from none, in ms. */
const DELAY_MS = 1500;

export function deliverySuite(subject: Subject): void {
  describe('deliveries', () => {
    it('come in the order of publishing', async () => {
      const sent = messages(700);
      for (let at = 0; at < sent.length; at += 70) await subject.queue.publish(sent.slice(at, at + 70));
      const deliveries = await subject.receive(sent.length);
      expect(deliveries.map(idOf)).toEqual(sent.map(idOf));
    });

    it('wait for a message', async () => {
      const received = subject.receive(1);
      await subject.queue.publish(messages(1));
      expect((await received).map(idOf)).toEqual(['m0']);
    });

    it('are none after a whole wait without any', async () => {
      expect(await subject.queue.receive()).toEqual([]);
    });

    it('end with the reason of the signal, and what comes then is for the next', async () => {
      const ended = new AbortController();
      const received = subject.queue.receive({ signal: ended.signal });
      ended.abort(new Error('enough'));
      await expect(received).rejects.toThrow('enough');
      await subject.queue.publish(messages(1));
      expect(await subject.receive(1)).toHaveLength(1);
    });

    it('that are acknowledged do not come again', async () => {
      await subject.queue.publish(messages(30));
      const deliveries = await subject.receive(30);
      expect(subject.queue.inHand).toBe(30);
      await ackAll(deliveries.slice(0, 20));
      expect(subject.queue.inHand).toBe(10);
      await subject.reopen();
      const again = await subject.receive(10);
      expect(new Set(again.map(idOf))).toEqual(new Set(deliveries.slice(20).map(idOf)));
    });

    it('that are released come again, counted', async () => {
      await subject.queue.publish(messages(1));
      for (const attempt of [1, 2, 3]) {
        const [delivery] = await subject.receive(1);
        expect([delivery!.id, delivery!.attempt]).toEqual(['m0', attempt]);
        await delivery!.release(0);
      }
      await subject.reopen();
      const again = await subject.receive(1);
      expect(again.map(idOf)).toEqual(['m0']);
      subject.expectAttempt(again, 4);
    });

    it('that are released tell any reader how often they have failed', async () => {
      await subject.queue.publish(messages(1));
      for (const [known, told] of [
        [0, 3],
        [3, undefined],
        [3, 5],
      ]) {
        const [delivery] = await subject.receive(1);
        expect(delivery!.failures).toBe(known);
        await delivery!.release(0, told);
      }
      await subject.reopen();
      expect((await subject.receive(1))[0]!.failures).toBe(5);
    });

    it('that are released with a delay come after it, and hold up nobody', async () => {
      await subject.queue.publish(messages(1, 'late'));
      const [late] = await subject.receive(1);
      const releasedMs = performance.now();
      await late!.release(DELAY_MS);
      await subject.queue.publish(messages(1, 'next'));
      const [next] = await subject.receive(1);
      expect(next!.id).toBe('next0');
      await next!.ack();
      const [again] = await subject.receive(1);
      // Timers and brokers count whole milliseconds.
      expect(performance.now() - releasedMs).toBeGreaterThanOrEqual(DELAY_MS - 5);
      expect([again!.id, again!.attempt]).toEqual(['late0', 2]);
    });

    it('that wait for their time are remembered by a restart', async () => {
      await subject.queue.publish(messages(1));
      const [delivery] = await subject.receive(1);
      await delivery!.release(DELAY_MS);
      await subject.reopen();
      await subject.expectCounts({ waiting: 1, inHand: 0 });
      const again = await subject.receive(1);
      expect(again.map(idOf)).toEqual(['m0']);
      subject.expectAttempt(again, 2);
    });

    it('end once: what is told of them later counts nothing', async () => {
      await subject.queue.publish(messages(1));
      const [delivery] = await subject.receive(1);
      await Promise.all([delivery!.ack(), delivery!.release(0), delivery!.bury('no')]);
      await delivery!.release(0);
      expect(await subject.queue.receive()).toEqual([]);
      expect(await subject.queue.counts()).toMatchObject({ waiting: 0, inHand: 0, dead: 0 });
    });

    it('that are released again and again do not hold up new ones', async () => {
      await subject.queue.publish(messages(300, 'bad'));
      const seen = new Set<string>();
      let wasPublished = false;
      const good = messages(20, 'good').map(idOf);
      await until('the good ones', async () => {
        for (const delivery of await subject.queue.receive()) {
          if (delivery.id.startsWith('good')) await delivery.ack();
          else void delivery.release(300);
          seen.add(delivery.id);
        }
        if (!wasPublished) await subject.queue.publish(messages(20, 'good'));
        wasPublished = true;
        return good.every((id) => seen.has(id));
      });
      expect([...seen].filter((id) => good.includes(id))).toHaveLength(good.length);
    });
  });

  describe('counts', () => {
    it('tell what waits, is in hand, and since when', async () => {
      const beforeMs = Date.now();
      await subject.queue.publish(messages(5));
      const deliveries = await subject.receive(5);
      await subject.queue.publish(messages(3, 'more'));
      await subject.expectCounts({ waiting: 3, inHand: 5 });
      const { oldestMs } = await subject.queue.counts();
      expect(oldestMs).toBeGreaterThanOrEqual(beforeMs - 1000);
      expect(oldestMs).toBeLessThanOrEqual(Date.now() + 1000);
      await ackAll(deliveries);
      await ackAll(await subject.receive(3));
      await until('an empty queue', async () => {
        const { waiting, inHand, oldestMs } = await subject.queue.counts();
        return waiting === 0 && inHand === 0 && oldestMs === undefined;
      });
    });
  });

  describe('disposing', () => {
    it('gives back what is in hand', async () => {
      await subject.queue.publish(messages(50));
      await subject.receive(50);
      await subject.reopen();
      const again = await subject.receive(50);
      expect(new Set(again.map(idOf)).size).toBe(50);
      subject.expectAttempt(again, 2);
    });

    it('ends receives, refuses what is asked, and leaves endings that resolve', async () => {
      await subject.queue.publish(messages(2));
      const [first, second] = await subject.receive(2);
      const received = subject.queue.receive().catch((error: unknown) => error);
      const acked = first!.ack();
      await subject.close();
      expect(await received).toMatchObject({ code: 'INTERRUPTED' });
      await acked;
      await second!.ack();
      await expect(subject.queue.publish(messages(1, 'x'))).rejects.toMatchObject({ code: 'INTERRUPTED' });
      await expect(subject.queue.counts()).rejects.toMatchObject({ code: 'INTERRUPTED' });
    });
  });
}
