import { describe, expect, it } from 'vitest';
import type { QueueDelivery } from '../../../src/events/queue/event-queue.ts';
import { idOf, listOf, messages, type Subject } from './subject.ts';

export function deadSuite(subject: Subject): void {
  const buryAll = async (deliveries: readonly QueueDelivery[]): Promise<void> => {
    for (const delivery of deliveries) await delivery.bury(`no luck with ${delivery.id}`);
  };

  describe('dead messages', () => {
    it('are kept with their reason, and are delivered no more', async () => {
      await subject.queue.publish([{ id: 'a', body: 'ä\0' }]);
      const [first] = await subject.receive(1);
      await first!.release(0);
      const [second] = await subject.receive(1);
      const beforeMs = Date.now();
      await second!.bury('the bucket "ß" is gone\nfor good');
      await subject.reopen();
      const dead = await subject.queue.dead.get('a');
      expect(dead).toEqual({
        id: 'a',
        body: 'ä\0',
        reason: 'the bucket "ß" is gone\nfor good',
        attempts: 2,
        sentMs: second!.sentMs,
        buriedMs: dead!.buriedMs,
      });
      expect(dead!.buriedMs).toBeGreaterThanOrEqual(beforeMs - 1000);
      expect(await subject.queue.counts()).toMatchObject({
        waiting: 0,
        inHand: 0,
        dead: 1,
        oldestMs: undefined,
      });
      expect(await subject.queue.receive()).toEqual([]);
    });

    it('are listed in the order of their burial, more than a page of them', async () => {
      const sent = messages(250);
      await subject.queue.publish(sent);
      await buryAll(await subject.receive(250));
      const list = await listOf(subject.queue.dead.list());
      expect(list.map(({ id, body }) => ({ id, body }))).toEqual(sent);
      expect(list.map(({ reason }) => reason)).toEqual(sent.map(({ id }) => `no luck with ${id}`));
    });

    it('come again as new ones when they are replayed', async () => {
      await subject.queue.publish(messages(3));
      await buryAll(await subject.receive(3));
      expect(await subject.queue.dead.replay('m1')).toBe(1);
      const [replayed] = await subject.receive(1);
      expect([replayed!.id, replayed!.body, replayed!.attempt]).toEqual(['m1', 'body of m1', 1]);
      expect((await listOf(subject.queue.dead.list())).map(idOf)).toEqual(['m0', 'm2']);
      await replayed!.bury('still');
      expect(await subject.queue.dead.get('m1')).toMatchObject({ reason: 'still', attempts: 1 });
    });

    it('have not failed yet when they are replayed', async () => {
      await subject.queue.publish(messages(1));
      await (await subject.receive(1))[0]!.release(0, 3);
      await (await subject.receive(1))[0]!.bury('no luck');
      await subject.queue.dead.replay('m0');
      await (await subject.receive(1))[0]!.release(0);
      expect((await subject.receive(1))[0]!.failures).toBe(0);
    });

    it('are gone when they are dropped', async () => {
      await subject.queue.publish(messages(3));
      await buryAll(await subject.receive(3));
      expect(await subject.queue.dead.drop('m0')).toBe(1);
      await subject.reopen();
      expect((await listOf(subject.queue.dead.list())).map(idOf)).toEqual(['m1', 'm2']);
      expect(await subject.queue.dead.get('m0')).toBeUndefined();
      expect(await subject.queue.counts()).toMatchObject({ dead: 2 });
    });

    it('that are not there are none', async () => {
      const { dead } = subject.queue;
      expect(await dead.get('none')).toBeUndefined();
      expect([await dead.replay('none'), await dead.drop('none')]).toEqual([0, 0]);
      expect(await listOf(dead.list())).toEqual([]);
    });
  });
}
