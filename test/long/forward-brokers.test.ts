import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { Connection } from 'rabbitmq-client';
import { describe, expect, it } from 'vitest';
import { type NatsServer, startNatsServer } from '../../harness/nats-server.ts';
import { deleteQueues, sharedRabbit } from '../../harness/shared-rabbit.ts';
import { lacks } from '../../harness/tools.ts';
import type { Action } from '../../src/events/action/action.ts';
import { forwardAction } from '../../src/events/action/forward/forward-action.ts';
import { openForwardTarget } from '../../src/events/action/forward/open-forward-target.ts';
import { openEventQueue } from '../../src/events/queue/open-event-queue.ts';
import type { Delivery, EventSource } from '../../src/events/source/event-source.ts';
import { openEventSource } from '../../src/events/source/open-event-source.ts';
import { eventsIn, taskOf } from '../events/forward-support.ts';
import { RecordingLog } from '../recording-log.ts';

const PUT = readFileSync(join(import.meta.dirname, '../events/messages/minio-put.json'), 'utf8');
const never = new AbortController().signal;
const log = new RecordingLog();

const newName = (): string => `f${randomBytes(6).toString('hex')}`;
const openAction = async (url: string): Promise<Action<undefined>> =>
  forwardAction(await openForwardTarget(url, { aws: {}, log }));

async function receive(source: EventSource, count: number): Promise<Delivery[]> {
  const deliveries: Delivery[] = [];
  while (deliveries.length < count) deliveries.push(...(await source.receive()));
  expect(deliveries).toHaveLength(count);
  return deliveries;
}

/** Forwards 50 records to `target`, and expects them of `source`. */
async function forwards(target: string, source: EventSource): Promise<void> {
  await using action = await openAction(target);
  const bodies = Array.from({ length: 50 }, (_, at) =>
    PUT.replaceAll(/"key": "[^"]*"/g, `"key": "k ${at} ü"`),
  );
  await Promise.all(bodies.map((body, at) => action.act(taskOf(body, `m${at}`), never)));
  const deliveries = await receive(source, 50);
  const told = deliveries.flatMap(({ body }) => eventsIn(body));
  expect(told).toHaveLength(50);
  expect(told).toEqual(expect.arrayContaining(bodies.flatMap(eventsIn)));
  await Promise.all(deliveries.map((delivery) => delivery.ack()));
}

describe.skipIf(lacks('rabbitmq-server'))('forwarding to RabbitMQ', () => {
  it('is read by a source as the same events, from a queue and through an exchange', async () => {
    const { url } = await sharedRabbit();
    const [queue, exchange] = [newName(), newName()];
    const connection = new Connection(url);
    await connection.queueDeclare({ queue, durable: true, arguments: { 'x-queue-type': 'quorum' } });
    await connection.exchangeDeclare({ exchange, type: 'topic', durable: true });
    await connection.queueBind({ exchange, queue, routingKey: 'events.#' });
    await using source = await openEventSource(`${url}/${queue}`, { log });
    await forwards(`${url}/${queue}`, source);
    await forwards(`${url}/events.all?exchange=${exchange}`, source);
    await using nowhere = await openAction(`${url}/other?exchange=${exchange}`);
    await expect(nowhere.act(taskOf(PUT, 'a'), never)).rejects.toMatchObject({
      code: 'STORE_MISSING',
      retryable: false,
    });
    await connection.exchangeDelete({ exchange });
    await connection.queueDelete({ queue });
    await connection.close();
  });

  it('fills the queue of another isync, and fails for now where that is full', async () => {
    const { url } = await sharedRabbit();
    const name = newName();
    {
      const options = { works: true, maxMessages: 50, minFreeBytes: 0, log };
      await using queue = await openEventQueue(`${url}/${name}`, options);
      await forwards(`${url}/${name}`, queue);
    }
    await using action = await openAction(`${url}/${name}`);
    const acted = Array.from({ length: 60 }, (_, at) => action.act(taskOf(PUT, `x${at}`), never));
    await Promise.allSettled(acted);
    await expect(action.act(taskOf(PUT, 'more'), never)).rejects.toMatchObject({
      code: 'STORE_FULL',
      retryable: true,
    });
    await deleteQueues(url, [name, `${name}.dead`]);
  });
});

describe.skipIf(lacks('nats-server'))('forwarding to NATS', () => {
  const withServer = async (run: (server: NatsServer) => Promise<void>): Promise<void> => {
    await using server = await startNatsServer();
    await run(server);
  };

  it('is read by a source as the same events, and by another isync as its queue', async () => {
    await withServer(async (server) => {
      const connection = await connect({ servers: server.url });
      const manager = await jetstreamManager(connection);
      await manager.streams.add({ name: 'told', subjects: ['told.>'] });
      await using source = await openEventSource(`${server.url}/told`, { log });
      await forwards(`${server.url}/told.here`, source);
      const options = { works: true, maxMessages: 100, minFreeBytes: 0, log };
      await using queue = await openEventQueue(`${server.url}/other`, options);
      await forwards(`${server.url}/other.events`, queue);
      // Sent again by a worker that was killed before it could tell.
      await using action = await openAction(`${server.url}/told.here`);
      for (let times = 0; times < 3; times++) await action.act(taskOf(PUT, 'again'), never);
      expect((await manager.streams.info('told')).state.messages).toBe(51);
      await connection.close();
    });
  });

  it('fails for now where no stream takes it, and while the server is away', async () => {
    await withServer(async (server) => {
      await using action = await openAction(`${server.url}/nobody`);
      await expect(action.act(taskOf(PUT, 'a'), never)).rejects.toMatchObject({
        code: 'BUSY',
        retryable: true,
      });
      await server.kill();
      await expect(action.act(taskOf(PUT, 'a'), never)).rejects.toMatchObject({ retryable: true });
    });
  });
});
