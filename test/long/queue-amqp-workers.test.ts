import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type CliProcess, startNode, until } from '../../harness/process.ts';
import { startRabbitServer } from '../../harness/rabbit-server.ts';
import { lacks } from '../../harness/tools.ts';
import { openAmqpQueue } from '../../src/events/queue/amqp/open-amqp-queue.ts';
import { RecordingLog } from '../recording-log.ts';

const SOURCE = join(import.meta.dirname, '../../src/events/queue/amqp/open-amqp-queue.ts');
const MESSAGES = 4000;
const WORKERS = 3;

/** Works on what comes, a few ms each; every seventh message is given back once, and every hundredth is buried. */
const WORK = `
  for (;;) {
    const deliveries = await queue.receive();
    for (const delivery of deliveries) void (async () => {
      await new Promise((resolve) => setTimeout(resolve, 5 + Math.random() * 20));
      const number = Number(delivery.id.slice(1));
      const isDead = number % 100 === 0;
      if (!isDead && number % 7 === 0 && delivery.attempt === 1) return await delivery.release(300);
      // First: killed after the other, nobody would know that it was done.
      process.stdout.write(delivery.id + '\\n');
      await (isDead ? delivery.bury('hundredth') : delivery.ack());
    })();
  }`;

const startWorker = (url: string): CliProcess =>
  startNode([
    '--input-type=module',
    '-e',
    `import { openAmqpQueue } from ${JSON.stringify(SOURCE)};
     const log = { debug() {}, info() {}, warn() {}, error() {}, with() { return log; } };
     const queue = await openAmqpQueue(${JSON.stringify(url)}, { maxMessages: 1000000, waitMs: 1000, log });
     ${WORK}`,
  ]);

describe.skipIf(lacks('rabbitmq-server'))('workers of a queue of RabbitMQ', () => {
  it('do all of it, whatever is killed', async () => {
    await using broker = await startRabbitServer();
    const url = `${broker.url}/work`;
    await using queue = await openAmqpQueue(url, {
      maxMessages: 1_000_000,
      waitMs: 1000,
      log: new RecordingLog(),
    });
    const workers = Array.from({ length: WORKERS }, () => startWorker(url));
    const killed: CliProcess[] = [];
    const publishing = Array.from({ length: 16 }, async (_, publisher) => {
      for (let at = publisher; at < MESSAGES; at += 16) {
        const message = { id: `m${at}`, body: `body of ${at}` };
        // Again until it is confirmed, as a store does that gets no 2xx.
        await until('a confirmation', () =>
          queue.publish([message]).then(
            () => true,
            () => false,
          ),
        );
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    });
    const doneBy = (worker: CliProcess): number => worker.stdout.split('\n').length - 1;
    const done = (): Set<string> =>
      new Set([...workers, ...killed].flatMap(({ stdout }) => stdout.split('\n').slice(0, -1)));
    for (const [round, share] of [0.1, 0.25, 0.4, 0.55].entries()) {
      await until('some work', () => done().size > MESSAGES * share);
      const [worker] = workers.splice(round % WORKERS, 1);
      await worker!.kill();
      killed.push(worker!);
      if (round % 2 === 1) {
        await broker.kill();
        await broker.start();
      }
      workers.push(startWorker(url));
    }
    await Promise.all(publishing);
    await until('an empty queue', async () => {
      const { waiting, inHand } = await queue.counts();
      return waiting + inHand === 0 && done().size >= MESSAGES;
    });
    const dead = new Set<string>();
    for await (const { id } of queue.dead.list()) dead.add(id);
    expect(dead.size).toBe(MESSAGES / 100);
    expect(done().size).toBe(MESSAGES);
    // Who began last may have come too late for these: there is more until each has had some.
    await until('each to have done some', async () => {
      await queue.publish([{ id: `more${performance.now()}`, body: 'more' }]);
      return workers.every((worker) => doneBy(worker) > 0);
    });
    for (const worker of workers) await worker.kill();
  });
});
