import { randomBytes } from 'node:crypto';
import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { afterAll, describe, expect, it, onTestFinished } from 'vitest';
import { type NatsServer, startNatsServer } from '../../harness/nats-server.ts';
import { startNode, until } from '../../harness/process.ts';
import { lacks } from '../../harness/tools.ts';
import type { NatsOptions } from '../../src/events/queue/nats/nats-options.ts';
import type { QueueDelivery } from '../../src/events/queue/event-queue.ts';
import { parseNatsUrl } from '../../src/events/queue/nats/nats-options.ts';
import { openNatsQueue } from '../../src/events/queue/nats/open-nats-queue.ts';
import { RecordingLog } from '../recording-log.ts';
import { eventQueueSuite } from '../suites/event-queue.ts';
import { ackAll, idOf, messages, type QueueSetup } from '../suites/event-queue/subject.ts';

/** How long a receive waits that finds none, and after which a killed worker's messages come again, in ms. */
const WAIT_MS = 1000;
const LEASE_MS = 2500;

let running: Promise<NatsServer> | undefined;
const server = (): Promise<NatsServer> => (running ??= startNatsServer());
afterAll(async () => await (await running)?.[Symbol.asyncDispose]());

const options = (given: Partial<NatsOptions> = {}): NatsOptions => ({
  maxMessages: 1_000_000,
  waitMs: WAIT_MS,
  leaseMs: LEASE_MS,
  log: new RecordingLog(),
  ...given,
});

const newUrl = async (): Promise<string> => `${(await server()).url}/q${randomBytes(6).toString('hex')}`;

const nameOf = (url: string): string => new URL(url).pathname.slice(1);

async function managed(url: string) {
  const connection = await connect({ servers: new URL(url).host });
  onTestFinished(async () => await connection.close());
  return { manager: await jetstreamManager(connection) };
}

const SOURCE = join(import.meta.dirname, '../../src/events/queue/nats/open-nats-queue.ts');

async function setup(): Promise<QueueSetup> {
  const url = await newUrl();
  return {
    sharesWork: true,
    tellsInHand: false,
    countsUnasked: false,
    open: (limits) => openNatsQueue(url, options(limits)),
    start: (code) =>
      startNode([
        '--input-type=module',
        '-e',
        `import { openNatsQueue } from ${JSON.stringify(SOURCE)};
         const log = { debug() {}, info() {}, warn() {}, error() {}, with() { return log; } };
         const queue = await openNatsQueue(${JSON.stringify(url)}, {
           maxMessages: 1000000, waitMs: ${WAIT_MS}, leaseMs: ${LEASE_MS}, log
         });
         ${code}`,
      ]),
    [Symbol.asyncDispose]: async () => undefined,
  };
}

describe.skipIf(lacks('nats-server'))('NATS', () => {
  eventQueueSuite('a queue of NATS JetStream', setup);

  it('that somebody deletes, or whose consumer, is made again, and is not reachable till then', async () => {
    const url = await newUrl();
    await using queue = await openNatsQueue(url, options());
    const { manager } = await managed(url);
    for (const gone of ['consumer', 'stream']) {
      const received = queue.receive();
      if (gone === 'consumer') await manager.consumers.delete(nameOf(url), 'worker');
      else await manager.streams.delete(nameOf(url));
      await received;
      await until('the queue to take messages', async () => {
        const id = randomBytes(6).toString('hex');
        return await queue.publish([{ id, body: gone }]).then(
          () => true,
          () => false,
        );
      });
      let bodies: string[] = [];
      await until('a message', async () => {
        const deliveries = await queue.receive();
        bodies = deliveries.map(({ body }) => body);
        await ackAll(deliveries);
        return bodies.length > 0;
      });
      expect(new Set(bodies)).toEqual(new Set([gone]));
      expect(queue.isReachable).toBe(true);
    }
  });

  it('is left as it is by one that only looks, and not made', async () => {
    const url = await newUrl();
    const looks = options({ isThere: true });
    await expect(openNatsQueue(url, looks)).rejects.toMatchObject({ code: 'STORE_MISSING' });
    await using queue = await openNatsQueue(url, options({ maxMessages: 7 }));
    await using looking = await openNatsQueue(url, looks);
    await queue.publish(messages(1));
    expect(await looking.counts()).toMatchObject({ waiting: 1 });
    const { manager } = await managed(url);
    expect((await manager.streams.info(nameOf(url))).config.max_msgs).toBe(7);
  });

  it('that is killed and comes back loses nothing, and is BUSY meanwhile', async () => {
    await using own = await startNatsServer();
    await using queue = await openNatsQueue(`${own.url}/restart`, options());
    await queue.publish(messages(200));
    const held = await queue.receive();
    await own.kill();
    await until('the loss to be noticed', () => !queue.isReachable);
    await expect(queue.publish(messages(1, 'x'))).rejects.toMatchObject({ code: 'BUSY', retryable: true });
    const received = queue.receive();
    await own.start();
    await until('the server to be back', () => queue.isReachable);
    const seen = new Set(held.map(idOf));
    await ackAll(held);
    for (let deliveries = await received; seen.size < 200; deliveries = await queue.receive()) {
      for (const { id } of deliveries) seen.add(id);
      await ackAll(deliveries);
    }
    await until(
      'a publish',
      async () =>
        await queue.publish(messages(1, 'x')).then(
          () => true,
          () => false,
        ),
    );
  });

  it.each([
    ['', 0],
    [', also while another message is in hand', 1],
  ])('delivers what a killed server has kept, and forgotten to deliver%s', async (_, others) => {
    await using own = await startNatsServer();
    const url = `${own.url}/forgetful`;
    const kept = join(own.store, 'jetstream/$G/streams/forgetful/msgs');
    const open = () => openNatsQueue(url, { maxMessages: 1_000_000, log: new RecordingLog() });
    {
      await using queue = await open();
      await queue.publish(messages(3));
    }
    await own.stop();
    cpSync(kept, `${own.store}-kept`, { recursive: true });
    await own.start();
    {
      await using queue = await open();
      for (let done = 0; done < 3;) {
        const deliveries = await queue.receive();
        await ackAll(deliveries);
        done += deliveries.length;
      }
    }
    // The messages are those of before, and the consumer takes them for acknowledged.
    await own.stop();
    rmSync(kept, { recursive: true });
    cpSync(`${own.store}-kept`, kept, { recursive: true });
    await own.start();
    await using holder = await open();
    await holder.publish(messages(others, 'held'));
    for (let held = 0; held < others;) held += (await holder.receive()).length;
    await using queue = await open();
    const seen = new Set<string>();
    for (let deliveries = await queue.receive(); seen.size < 3; deliveries = await queue.receive()) {
      for (const { id } of deliveries) seen.add(id);
      await ackAll(deliveries);
    }
    expect([...seen]).toEqual(expect.arrayContaining(messages(3).map(idOf)));
  });

  it('gives a reader no more ahead than it asks for', async () => {
    const url = await newUrl();
    await using first = await openNatsQueue(url, options({ ahead: 5 }));
    await first.publish(messages(40));
    const held = await first.receive();
    expect(held.length).toBeLessThanOrEqual(5);
    await using second = await openNatsQueue(url, options());
    let others = 0;
    while (others < 40 - 5) {
      const deliveries = await second.receive();
      others += deliveries.length;
      await ackAll(deliveries);
    }
    await ackAll(held);
  });

  it('shares the work of several workers', async () => {
    const url = await newUrl();
    await using first = await openNatsQueue(url, options());
    await using second = await openNatsQueue(url, options());
    const seen = new Map<string, number>();
    const counts = [0, 0];
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

  it('tells each worker how often others have seen a message fail, and keeps no count of what is done', async () => {
    const url = await newUrl();
    const known: number[][] = [];
    for (const turn of [0, 1, 2, 3]) {
      await using queue = await openNatsQueue(url, options());
      if (turn === 0) await queue.publish(messages(3));
      const deliveries: QueueDelivery[] = [];
      while (deliveries.length < 3) deliveries.push(...(await queue.receive()));
      deliveries.sort((a, b) => a.id.localeCompare(b.id));
      expect(deliveries.map(idOf)).toEqual(messages(3).map(idOf));
      known.push(deliveries.map(({ failures }) => failures));
      if (turn < 3)
        for (const [at, each] of deliveries.entries()) await each.release(0, (turn + 1) * (at + 1));
      else await Promise.all([deliveries[0]!.ack(), deliveries[1]!.bury('enough'), deliveries[2]!.ack()]);
    }
    expect(known).toEqual([
      [0, 0, 0],
      [1, 2, 3],
      [2, 4, 6],
      [3, 6, 9],
    ]);
    const { manager } = await managed(url);
    expect((await manager.streams.info(`${nameOf(url)}-failures`)).state.messages).toBe(0);
  });

  it('goes on where nobody knows any more how often a message has failed, and counts again', async () => {
    const url = await newUrl();
    const log = new RecordingLog();
    await using queue = await openNatsQueue(url, options({ log }));
    await queue.publish(messages(1));
    const { manager } = await managed(url);
    await manager.streams.delete(`${nameOf(url)}-failures`);
    await until('a count', async () => {
      const [delivery] = await queue.receive();
      if (delivery === undefined) return false;
      const { failures } = delivery;
      await (failures > 0 ? delivery.ack() : delivery.release(0, 1));
      return failures > 0;
    });
    expect(await queue.counts()).toMatchObject({ waiting: 0, inHand: 0 });
    const told = log.at('warn').filter(({ message }) => message.includes('how often a message has failed'));
    expect(told.length).toBeGreaterThan(0);
  });

  it('keeps what is worked on for longer than the lease', async () => {
    const url = await newUrl();
    await using first = await openNatsQueue(url, options());
    await using second = await openNatsQueue(url, options());
    await first.publish(messages(1));
    const [delivery] = await first.receive();
    const untilMs = performance.now() + 3 * LEASE_MS;
    while (performance.now() < untilMs) expect(await second.receive()).toEqual([]);
    await delivery!.ack();
    expect(await second.counts()).toMatchObject({ waiting: 0, inHand: 0 });
  });

  it('warns of a single server that acknowledges before its disk has a message', async () => {
    const log = new RecordingLog();
    await using queue = await openNatsQueue(await newUrl(), options({ log }));
    expect(queue.isReachable).toBe(true);
    expect(log.at('warn').map(({ message }) => message)).toEqual([expect.stringContaining('sync_interval')]);
  });

  it('by tls:// is never told a secret without TLS', async () => {
    const { port } = new URL((await server()).url);
    const opened = openNatsQueue(`tls://user:pass@127.0.0.1:${port}/secret`, options());
    await expect(opened).rejects.toMatchObject({ code: 'UNREACHABLE' });
  });

  it('that nobody serves is UNREACHABLE', async () => {
    await expect(openNatsQueue('nats://127.0.0.1:1/none', options())).rejects.toMatchObject({
      code: 'UNREACHABLE',
      path: 'nats://127.0.0.1:1/none',
    });
  });
});

describe('the URL of a queue of NATS', () => {
  it('names servers, user, queue and replicas, and is told without its secret', () => {
    expect(parseNatsUrl('nats://u:p%40ss@a:4223/events?replicas=3&server=b:4222')).toEqual({
      servers: ['nats://a:4223', 'nats://b:4222'],
      user: 'u',
      pass: 'p@ss',
      onlyTls: false,
      name: 'events',
      replicas: 3,
      where: 'nats://a:4223/events',
    });
    expect(parseNatsUrl('nats://host').name).toBe('isync');
  });

  it.each(['nats://', 'nats://h/a.b', 'nats://h/a/b', 'nats://u:secret@h/x?replicas=2', 'no url secret'])(
    'is refused without its secret: %s',
    (url) => {
      expect(() => parseNatsUrl(url)).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }));
      expect(() => parseNatsUrl(url)).not.toThrow('secret');
    },
  );
});
