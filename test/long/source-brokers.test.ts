import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DeleteObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { type Channel, Connection } from 'rabbitmq-client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { notifyOf } from '../../harness/ceph-events.ts';
import { type NatsServer, startNatsServer } from '../../harness/nats-server.ts';
import { until } from '../../harness/process.ts';
import { withS3Server } from '../../harness/s3-server.ts';
import { sharedRabbit } from '../../harness/shared-rabbit.ts';
import { lacks } from '../../harness/tools.ts';
import { parseMessage } from '../../src/events/parse/parse-message.ts';
import type { Delivery, EventSource } from '../../src/events/source/event-source.ts';
import { openEventSource } from '../../src/events/source/open-event-source.ts';
import { RecordingLog } from '../recording-log.ts';

/** How long a receive waits that finds none, in ms. */
const WAIT_MS = 1000;
/** A delay that can be told from none, in ms. */
const DELAY_MS = 1500;

const PUT = readFileSync(join(import.meta.dirname, '../events/messages/minio-put.json'), 'utf8');

const open = (url: string): Promise<EventSource> =>
  openEventSource(url, { log: new RecordingLog(), waitMs: WAIT_MS });
const newName = (): string => `s${randomBytes(6).toString('hex')}`;

async function receive(source: EventSource, count: number): Promise<Delivery[]> {
  const deliveries: Delivery[] = [];
  while (deliveries.length < count) deliveries.push(...(await source.receive()));
  expect(deliveries).toHaveLength(count);
  return deliveries;
}

/** A queue that somebody else fills. */
interface Place {
  readonly url: string;
  readonly publish: (body: string) => Promise<void>;
}

function sourceTests(place: () => Promise<Place>): void {
  it('tells each message until it is acknowledged', async () => {
    const { url, publish } = await place();
    await publish(PUT);
    await publish('ä of nobody');
    let ids: string[];
    {
      await using source = await open(url);
      const deliveries = await receive(source, 2);
      expect(deliveries.map(({ body, attempt }) => [body, attempt])).toEqual([
        [PUT, 1],
        ['ä of nobody', 1],
      ]);
      ids = deliveries.map(({ id }) => id);
      expect(new Set(ids).size).toBe(2);
      await deliveries[0]!.ack();
      expect(source.inHand).toBe(1);
    }
    await using source = await open(url);
    const [again] = await receive(source, 1);
    expect([again!.id, again!.attempt]).toEqual([ids[1], 2]);
    await again!.ack();
    expect(await source.receive()).toEqual([]);
    expect(source.inHand).toBe(0);
  });

  it('gives back a message for later', async () => {
    const { url, publish } = await place();
    await publish(PUT);
    await using source = await open(url);
    const [delivery] = await receive(source, 1);
    const releasedMs = performance.now();
    const released = delivery!.release(DELAY_MS);
    const [again] = await receive(source, 1);
    expect(performance.now() - releasedMs).toBeGreaterThanOrEqual(DELAY_MS - 5);
    expect([again!.id, again!.attempt]).toEqual([delivery!.id, 2]);
    await released;
    await again!.ack();
  });

  it('shares with another reader', async () => {
    const { url, publish } = await place();
    await using first = await open(url);
    await using second = await open(url);
    const seen: string[] = [];
    const ended = new AbortController();
    const counts = [0, 0];
    const readers = [first, second].map(async (source, reader) => {
      while (!ended.signal.aborted)
        for (const delivery of await source.receive({ signal: ended.signal }).catch(() => [])) {
          seen.push(delivery.body);
          counts[reader]! += 1;
          await delivery.ack();
        }
    });
    for (let at = 0; at < 400; at++) await publish(`message ${at}`);
    await until('all to be told', () => new Set(seen).size === 400);
    ended.abort();
    await Promise.all(readers);
    expect(Math.min(...counts)).toBeGreaterThan(0);
  });
}

const noRabbit = lacks('rabbitmq-server');

describe.skipIf(noRabbit)('a queue of RabbitMQ that somebody else fills', () => {
  let connection: Connection;
  let channel: Channel;
  let broker: string;
  beforeAll(async () => {
    broker = (await sharedRabbit()).url;
    connection = new Connection(broker);
    channel = await connection.acquire();
    await channel.confirmSelect();
  });
  afterAll(async () => {
    await channel.close();
    await connection.close();
  });

  const publisherTo = (queue: string) => async (body: string) =>
    await channel.basicPublish({ routingKey: queue, durable: true }, Buffer.from(body));

  sourceTests(async () => {
    const queue = newName();
    await channel.queueDeclare({ queue, durable: true, arguments: { 'x-queue-type': 'quorum' } });
    return { url: `${broker}/${queue}`, publish: publisherTo(queue) };
  });

  it('may be classic, have an id of its own, and a type that the client reads by itself', async () => {
    const queue = newName();
    await channel.queueDeclare({ queue, durable: true });
    await channel.basicPublish({ routingKey: queue, messageId: 'one', contentType: 'application/json' }, PUT);
    const deep = Buffer.from('['.repeat(200_000) + ']'.repeat(200_000));
    await channel.basicPublish({ routingKey: queue, contentType: 'application/json' }, deep);
    await channel.basicPublish({ routingKey: queue, messageId: 'one' }, Buffer.from('another of that id'));
    await using source = await open(`${broker}/${queue}`);
    const deliveries = await receive(source, 3);
    expect(deliveries.map(({ id }) => id)).toEqual(['one', expect.stringMatching(/^sha256-/), 'one']);
    expect(parseMessage(deliveries[0]!.body, { keyEncoding: 'auto' })).toMatchObject([{ outcome: 'event' }]);
    expect(parseMessage(deliveries[1]!.body, { keyEncoding: 'auto' })).toMatchObject([
      { outcome: 'unparsable' },
    ]);
    expect(deliveries[2]!.body).toBe('another of that id');
    await Promise.all(deliveries.map((delivery) => delivery.ack()));
  });

  it('gives back what waits for later when it is closed, and its waits end', async () => {
    const queue = newName();
    await channel.queueDeclare({ queue, durable: true });
    await channel.basicPublish({ routingKey: queue }, PUT);
    const url = `${broker}/${queue}`;
    {
      await using source = await open(url);
      const [delivery] = await receive(source, 1);
      void delivery!.release(600_000);
    }
    await using source = await open(url);
    const [again] = await receive(source, 1);
    expect(again!.body).toBe(PUT);
    await again!.ack();
  });

  it('must be there', async () => {
    await expect(open(`${broker}/none-of-this-name`)).rejects.toMatchObject({
      code: 'STORE_MISSING',
      retryable: false,
    });
    await expect(open(`${broker}/`)).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
  });
});

describe.skipIf(lacks('nats-server'))('a stream of NATS that somebody else fills', () => {
  let server: NatsServer;
  beforeAll(async () => (server = await startNatsServer()));
  afterAll(async () => await server[Symbol.asyncDispose]());

  const makeStream = async (name: string): Promise<void> => {
    const connection = await connect({ servers: server.url });
    const manager = await jetstreamManager(connection);
    await manager.streams.add({ name, subjects: [`${name}.>`] });
    await connection.close();
  };

  sourceTests(async () => {
    const name = newName();
    await makeStream(name);
    return {
      url: `${server.url}/${name}?consumer=tests`,
      publish: async (body) => {
        const connection = await connect({ servers: server.url });
        await jetstream(connection).publish(`${name}.minio`, body);
        await connection.close();
      },
    };
  });

  it('must be there, and its consumer of a kind that acknowledges', async () => {
    await expect(open(`${server.url}/none`)).rejects.toMatchObject({
      code: 'STORE_MISSING',
      retryable: false,
    });
    await expect(open(`${server.url}/`)).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
    await expect(open(`${server.url}/a?consumer=b.c`)).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
    const name = newName();
    await makeStream(name);
    const connection = await connect({ servers: server.url });
    const manager = await jetstreamManager(connection);
    await manager.consumers.add(name, { durable_name: 'none', ack_policy: 'none' });
    await connection.close();
    await expect(open(`${server.url}/${name}?consumer=none`)).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
    });
  });
});

await withS3Server((server) => {
  describe.skipIf(noRabbit)('a Ceph that tells by AMQP', () => {
    it('is heard', async () => {
      const { port, url } = await sharedRabbit();
      const connection = new Connection(url);
      const [exchange, queue] = [newName(), newName()];
      await connection.exchangeDeclare({ exchange, type: 'topic', durable: true });
      await connection.queueDeclare({ queue, durable: true, arguments: { 'x-queue-type': 'quorum' } });
      await connection.queueBind({ exchange, queue, routingKey: '#' });
      await connection.close();
      const bucket = await server.makeBucket();
      const attributes = {
        'push-endpoint': `amqp://127.0.0.1:${port}`,
        'amqp-exchange': exchange,
        'amqp-ack-level': 'broker',
      };
      await notifyOf(server, bucket, { name: exchange, attributes });
      const keys = ['a b/ü+%.txt', 'plain', 'dir/x'];
      for (const Key of keys)
        await server.client.send(new PutObjectCommand({ Bucket: bucket, Key, Body: Key }));
      await server.client.send(new DeleteObjectCommand({ Bucket: bucket, Key: 'plain' }));
      await using source = await open(`${url}/${queue}`);
      const deliveries = await receive(source, 4);
      const events = deliveries.flatMap(({ body }) => parseMessage(body, { keyEncoding: 'auto' }));
      const told = events.map(
        (each) => each.outcome === 'event' && [each.event.kind, each.event.bucket, each.event.key],
      );
      expect(new Set(told.map(String))).toEqual(
        new Set([...keys.map((key) => ['created', bucket, key]), ['removed', bucket, 'plain']].map(String)),
      );
      await Promise.all(deliveries.map((delivery) => delivery.ack()));
    });
  });
});
