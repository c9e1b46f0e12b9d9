import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { Connection } from 'rabbitmq-client';
import { describe, expect, it } from 'vitest';
import { startNode, until } from '../../harness/process.ts';
import { startRabbitServer } from '../../harness/rabbit-server.ts';
import { deleteQueues, sharedRabbit } from '../../harness/shared-rabbit.ts';
import { lacks } from '../../harness/tools.ts';
import type { IsyncError } from '../../src/model/isync-error.ts';
import type { EventQueue, QueueDelivery } from '../../src/events/queue/event-queue.ts';
import type { AmqpQueueOptions } from '../../src/events/queue/amqp/amqp-options.ts';
import { namesOf } from '../../src/events/queue/amqp/amqp-queues.ts';
import { openAmqpQueue } from '../../src/events/queue/amqp/open-amqp-queue.ts';
import { RecordingLog } from '../recording-log.ts';
import { eventQueueSuite } from '../suites/event-queue.ts';
import { ackAll, idOf, listOf, messages, type QueueSetup } from '../suites/event-queue/subject.ts';

/** How long a receive waits that finds none, in ms. */
const WAIT_MS = 1000;

const options = (given: Partial<AmqpQueueOptions> = {}): AmqpQueueOptions => ({
  maxMessages: 1_000_000,
  waitMs: WAIT_MS,
  log: new RecordingLog(),
  ...given,
});

const newName = (): string => `q${randomBytes(6).toString('hex')}`;
const queuesOf = (name: string): string[] => {
  const { main, dead, delay } = namesOf(name);
  return [main, dead, ...delay];
};

const SOURCE = join(import.meta.dirname, '../../src/events/queue/amqp/open-amqp-queue.ts');

async function setup(): Promise<QueueSetup> {
  const rabbit = await sharedRabbit();
  const name = newName();
  const url = `${rabbit.url}/${name}`;
  return {
    sharesWork: true,
    tellsInHand: false,
    countsUnasked: true,
    open: async (limits) => {
      // A queue keeps the limit that it was made with: somebody has to delete it.
      if (limits !== undefined) await deleteQueues(rabbit.url, [name]);
      return await openAmqpQueue(url, options(limits));
    },
    start: (code) =>
      startNode([
        '--input-type=module',
        '-e',
        `import { openAmqpQueue } from ${JSON.stringify(SOURCE)};
         const log = { debug() {}, info() {}, warn() {}, error() {}, with() { return log; } };
         const queue = await openAmqpQueue(${JSON.stringify(url)}, {
           maxMessages: 1000000, waitMs: ${WAIT_MS}, log
         });
         ${code}`,
      ]),
    [Symbol.asyncDispose]: () => deleteQueues(rabbit.url, queuesOf(name)),
  };
}

describe.skipIf(lacks('rabbitmq-server'))('RabbitMQ', () => {
  eventQueueSuite('a queue of RabbitMQ', setup);

  /** A queue for one test, of the broker of the run. */
  async function opened(
    run: (place: { readonly url: string; readonly broker: string; readonly name: string }) => Promise<void>,
  ): Promise<void> {
    const { url: broker } = await sharedRabbit();
    const name = newName();
    try {
      await run({ url: `${broker}/${name}`, broker, name });
    } finally {
      await deleteQueues(broker, queuesOf(name));
    }
  }

  it('gives a reader no more ahead than it asks for', async () => {
    await opened(async ({ url }) => {
      await using first = await openAmqpQueue(url, options({ ahead: 5 }));
      await first.publish(messages(40));
      const held = await first.receive();
      expect(held.length).toBeLessThanOrEqual(5);
      await using second = await openAmqpQueue(url, options());
      let others = 0;
      while (others < 40 - 5) {
        const deliveries = await second.receive();
        others += deliveries.length;
        await ackAll(deliveries);
      }
      await ackAll(held);
    });
  });

  it('is not made by one that only looks', async () => {
    await opened(async ({ url, broker, name }) => {
      await expect(openAmqpQueue(url, options({ isThere: true }))).rejects.toMatchObject({
        code: 'STORE_MISSING',
        message: expect.stringContaining('there is no queue'),
      });
      await using connection = disposable(new Connection(broker));
      for (const queue of queuesOf(name))
        await expect(connection.connection.queueDeclare({ queue, passive: true })).rejects.toThrow(
          'NOT_FOUND',
        );
      await using queue = await openAmqpQueue(url, options());
      await queue.publish(messages(1));
      await using looking = await openAmqpQueue(url, options({ isThere: true }));
      expect(await looking.counts()).toMatchObject({ waiting: 1 });
    });
  });

  it('that is killed and comes back loses nothing, and is BUSY meanwhile', async () => {
    await using own = await startRabbitServer();
    await using queue = await openAmqpQueue(`${own.url}/restart`, options());
    await queue.publish(messages(300));
    const held = [...(await queue.receive())];
    await held.pop()!.release(2000);
    await own.kill();
    await until('the loss to be noticed', () => !queue.isReachable);
    const beganMs = performance.now();
    await expect(queue.publish(messages(1, 'x'))).rejects.toMatchObject({ code: 'BUSY', retryable: true });
    expect(performance.now() - beganMs).toBeLessThan(10_000);
    const received = queue.receive();
    await own.start();
    const seen = new Set(held.map(idOf));
    // Told of a delivery that the broker has forgotten: it is recognised when it comes again.
    await ackAll(held);
    for (let deliveries = await received; seen.size < 300; deliveries = await queue.receive()) {
      for (const { id } of deliveries) seen.add(id);
      await ackAll(deliveries);
    }
    await until('a publish', () =>
      queue.publish(messages(1, 'x')).then(
        () => true,
        () => false,
      ),
    );
    await ackAll(await queue.receive());
    await until('an empty queue', async () => {
      const { waiting, inHand } = await queue.counts();
      return waiting + inHand === 0;
    });
  });

  it('that takes back what was in hand for too long gives it again, and it is recognised', async () => {
    await using own = await startRabbitServer({
      rabbit: { consumer_timeout: 1000, channel_tick_interval: 1000 },
    });
    const log = new RecordingLog();
    await using queue = await openAmqpQueue(`${own.url}/slow`, options({ log }));
    await queue.publish(messages(2));
    const held = await receive(queue, 2);
    const told = (): boolean => log.at('warn').some(({ message }) => message.includes('has taken back'));
    await until('the timeout', async () => {
      expect(await queue.receive()).toEqual([]);
      return told();
    });
    const again = queue.receive();
    await ackAll(held);
    expect(await again).toEqual([]);
    await until('an empty queue', async () => {
      const { waiting, inHand } = await queue.counts();
      return waiting + inHand === 0;
    });
  });

  it('whose disk is short takes nothing for now, says so at once, and is read all the same', async () => {
    await using own = await startRabbitServer();
    await using queue = await openAmqpQueue(`${own.url}/alarm`, options());
    await queue.publish(messages(3));
    await own.setDiskLimit('1000GB');
    await until('the refusal', () =>
      queue.publish(messages(1, `x${Math.random()}`)).then(
        () => false,
        ({ code }: IsyncError) => code === 'STORE_FULL',
      ),
    );
    await ackAll(await receive(queue, 3));
    expect(await queue.receive()).toEqual([]);
    await own.setDiskLimit('50MB');
    await until('room', () =>
      queue.publish(messages(1, 'y')).then(
        () => true,
        () => false,
      ),
    );
  });

  it('shares the work of several workers, and a rush of one of them ends', async () => {
    await opened(async ({ url }) => {
      await using first = await openAmqpQueue(url, options());
      await using second = await openAmqpQueue(url, options());
      const counts = [0, 0];
      const seen = new Map<string, number>();
      const ended = new AbortController();
      const workers = [first, second].map(async (queue, worker) => {
        while (!ended.signal.aborted)
          for (const delivery of await queue.receive({ signal: ended.signal }).catch(() => [])) {
            seen.set(delivery.id, (seen.get(delivery.id) ?? 0) + 1);
            counts[worker]! += 1;
            await delivery.ack();
          }
      });
      await first.publish(messages(2000));
      await until('all to be done', () => seen.size === 2000);
      ended.abort();
      await Promise.all(workers);
      expect([...seen.values()].every((times) => times === 1)).toBe(true);
      expect(Math.min(...counts)).toBeGreaterThan(400);
    });
  });

  it('says in its log that it keeps the limit which it was made with', async () => {
    await opened(async ({ url }) => {
      await (await openAmqpQueue(url, options()))[Symbol.asyncDispose]();
      const log = new RecordingLog();
      await using queue = await openAmqpQueue(url, options({ maxMessages: 5, log }));
      await queue.publish(messages(6));
      expect(log.at('warn').map(({ message }) => message)).toEqual([
        expect.stringContaining('keeps the limit'),
      ]);
    });
  });

  it('tells dead messages in their order after a reader that stopped early, and one that was killed', async () => {
    await opened(async ({ url, broker, name }) => {
      await using queue = await openAmqpQueue(url, options());
      await queue.publish(messages(120));
      await buryAll(queue, 120);
      const ids = messages(120).map(idOf);
      for await (const { id } of queue.dead.list()) if (id === 'm3') break;
      expect((await listOf(queue.dead.list())).map(idOf)).toEqual(ids);
      // As one that is killed leaves them.
      const killed = new Connection(broker);
      const channel = await killed.acquire();
      for (let at = 0; at < 60; at++) await channel.basicGet({ queue: namesOf(name).dead });
      killed.unsafeDestroy();
      await until('all to be back', async () => (await queue.counts()).dead === 120);
      await queue.dead.get('none');
      expect((await listOf(queue.dead.list())).map(idOf)).toEqual(ids);
    });
  });

  it('lets one process after the other read the dead messages', async () => {
    await opened(async ({ url }) => {
      await using first = await openAmqpQueue(url, options());
      await using second = await openAmqpQueue(url, options());
      await first.publish(messages(20));
      await buryAll(first, 20);
      const lists = await Promise.all(
        [first, second, first, second].map((queue) => listOf(queue.dead.list())),
      );
      expect(lists.map((list) => list.map(idOf))).toEqual(lists.map(() => messages(20).map(idOf)));
    });
  });

  it('keeps as dead what a policy of the broker gives up', async () => {
    await opened(async ({ url, broker, name }) => {
      await using queue = await openAmqpQueue(url, options());
      await using other = disposable(new Connection(broker));
      const channel = await other.connection.acquire();
      await channel.confirmSelect();
      const message = { routingKey: name, messageId: 'short', durable: true, expiration: '1' };
      await channel.basicPublish(message, Buffer.from('of others'));
      await channel.close();
      await until('it to be dead', async () => (await queue.counts()).dead === 1);
      expect(await queue.dead.get('short')).toMatchObject({
        body: 'of others',
        reason: 'RabbitMQ has given it up: expired',
      });
      expect(await queue.dead.replay('short')).toBe(1);
      expect((await queue.receive()).map(({ id, body }) => [id, body])).toEqual([['short', 'of others']]);
    });
  });

  it('is refused by name of what is wrong, without a secret', async () => {
    await opened(async ({ url, broker, name }) => {
      await using other = disposable(new Connection(broker));
      await other.connection.queueDeclare({ queue: name, durable: true });
      const failures = await Promise.all(
        [url, url.replace('guest:guest', 'guest:wrong-secret'), `${broker}/nowhere/x`].map((each) =>
          openAmqpQueue(each, options()).catch((error: unknown) => error),
        ),
      );
      expect(failures).toMatchObject([
        { code: 'CONFIG_INVALID' },
        { code: 'STORE_REFUSED', retryable: false },
        { code: 'STORE_REFUSED', retryable: false },
      ]);
      expect(failures.map(String).join()).not.toContain('secret');
    });
  });

  it('by amqps:// is never told a secret without TLS', async () => {
    const { port } = await sharedRabbit();
    await expect(openAmqpQueue(`amqps://user:pass@127.0.0.1:${port}/q`, options())).rejects.toMatchObject({
      code: 'TLS_FAILED',
    });
  });

  it('that nobody serves is UNREACHABLE', async () => {
    await expect(openAmqpQueue('amqp://127.0.0.1:1/none', options())).rejects.toMatchObject({
      code: 'UNREACHABLE',
      path: 'amqp://127.0.0.1:1/none',
    });
  });
});

async function receive(queue: EventQueue, count: number): Promise<QueueDelivery[]> {
  const deliveries: QueueDelivery[] = [];
  while (deliveries.length < count) deliveries.push(...(await queue.receive()));
  return deliveries;
}

async function buryAll(queue: EventQueue, count: number): Promise<void> {
  for (const delivery of await receive(queue, count)) await delivery.bury('no');
}

function disposable(connection: Connection): AsyncDisposable & { readonly connection: Connection } {
  return { connection, [Symbol.asyncDispose]: () => connection.close() };
}
