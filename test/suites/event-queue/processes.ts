import { describe, expect, it } from 'vitest';
import { ackAll, idOf, messages, type Subject } from './subject.ts';

/** Of a program: publishes from 16 at once and prints each id when its publish has resolved. */
const PUBLISH = `
  let at = 0;
  const publish = async () => {
    for (;;) {
      const id = 'k' + at++;
      await queue.publish([{ id, body: 'x'.repeat(500) }]);
      process.stdout.write(id + '\\n');
    }
  };
  for (let publisher = 0; publisher < 16; publisher++) void publish();`;

export function processSuite(subject: Subject): void {
  describe('kill -9', () => {
    it('of a publisher loses nothing that was published', async () => {
      await subject.close();
      const confirmed = new Set<string>();
      for (let round = 0; round < 3; round++) {
        const publisher = subject.start(PUBLISH.replaceAll("'k'", `'${round}-'`));
        await publisher.until('many messages', () => publisher.stdout.split('\n').length > 300);
        await publisher.kill();
        for (const id of publisher.stdout.split('\n').slice(0, -1)) confirmed.add(id);
      }
      await subject.reopen();
      const seen = new Set<string>();
      while (![...confirmed].every((id) => seen.has(id))) {
        const deliveries = await subject.queue.receive();
        expect(deliveries.length).toBeGreaterThan(0);
        for (const { id } of deliveries) seen.add(id);
        await ackAll(deliveries);
      }
    });

    it('of a worker gives back what it had in hand, counted, and nothing that it had acknowledged', async () => {
      await subject.queue.publish(messages(40));
      if (!subject.sharesWork) await subject.close();
      const worker = subject.start(`
        let seen = [];
        while (seen.length < 40) seen.push(...(await queue.receive()));
        await Promise.all(seen.slice(0, 30).map((delivery) => delivery.ack()));
        console.log('acknowledged');
        setInterval(() => {}, 1000);`);
      await worker.until('the acknowledgements', () => worker.stdout.includes('acknowledged'));
      await worker.kill();
      await subject.reopen();
      const again = await subject.receive(10);
      expect(again.map(idOf).sort()).toEqual(messages(40).slice(30).map(idOf).sort());
      subject.expectAttempt(again, 2);
    });
  });
}
