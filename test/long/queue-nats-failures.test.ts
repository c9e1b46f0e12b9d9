import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { describe, expect, it, onTestFinished } from 'vitest';
import { cephRecord } from '../../harness/ceph-record.ts';
import { type NatsServer, startNatsServer } from '../../harness/nats-server.ts';
import { until } from '../../harness/process.ts';
import { lacks } from '../../harness/tools.ts';
import { startWebhookStage } from '../../harness/webhook-stage.ts';
import { NatsDelivery } from '../../src/events/nats/nats-delivery.ts';
import type { EventQueue, QueueDelivery } from '../../src/events/queue/event-queue.ts';
import { NatsFailures } from '../../src/events/queue/nats/nats-failures.ts';
import { openNatsQueue } from '../../src/events/queue/nats/open-nats-queue.ts';
import { RecordingLog } from '../recording-log.ts';
import { messages } from '../suites/event-queue/subject.ts';

/** How long a receive waits that finds none, and after which a killed worker's messages come again, in ms. */
const WAIT_MS = 1000;
const LEASE_MS = 2500;
const NAME = 'counted';
/** What the user of a queue may publish, as docs/webhook.md says. */
const RIGHTS = [`${NAME}.>`, `$JS.ACK.${NAME}.>`, '$JS.API.>'];
const STREAMS = [NAME, `${NAME}-dead`, `${NAME}-failures`];
const NARROWER = [
  ...RIGHTS.slice(0, 2),
  '$JS.API.INFO',
  ...STREAMS.flatMap((stream) => [
    `*.*.${stream}`,
    `*.*.${stream}.>`,
    `*.*.*.${stream}`,
    `*.*.*.${stream}.>`,
  ]).map((request) => `$JS.API.${request}`),
];
const NO_FAILURES = `publish: { deny: ["${NAME}.failures.*", "$JS.API.STREAM.*.${NAME}-failures", "$JS.API.DIRECT.GET.${NAME}-failures.>"] }`;

const urlOf = (server: NatsServer): string => `nats://worker:word@${new URL(server.url).host}/${NAME}`;

const open = (server: NatsServer, log: RecordingLog) =>
  openNatsQueue(urlOf(server), {
    maxMessages: 1_000_000,
    waitMs: WAIT_MS,
    leaseMs: LEASE_MS,
    log,
  });

const withUser = (permissions: string) => [
  `authorization { users: [{ user: worker, password: word, permissions: { ${permissions} } }] }`,
];

/** The account of the user may have so many streams. */
const withStreams = (most: number) => [
  `accounts { A { jetstream: { max_streams: ${most} }, users: [{ user: worker, password: word }] } }`,
];

async function one(queue: EventQueue): Promise<QueueDelivery> {
  let delivery: QueueDelivery | undefined;
  await until('a message', async () => ([delivery] = await queue.receive())[0] !== undefined);
  return delivery!;
}

const ofFailures = (log: RecordingLog) => log.at('warn').filter(({ message }) => message.includes('failed'));

describe.skipIf(lacks('nats-server'))('failures that a queue of NATS counts', () => {
  it('are known soon where the server is slow to tell of its streams', async () => {
    await using server = await startNatsServer();
    const log = new RecordingLog();
    await using queue = await openNatsQueue(`${server.url}/${NAME}`, { maxMessages: 1000, log });
    await queue.publish(messages(1));
    const delivery = await one(queue);
    if (!(delivery instanceof NatsDelivery)) throw new Error('no delivery of NATS');
    const connection = await connect({ servers: server.url });
    onTestFinished(async () => await connection.close());
    const real = await jetstreamManager(connection);
    const never = new Promise<never>(() => undefined);
    const manager: typeof real = Object.create(real, { streams: { value: { info: () => never } } });
    const client = jetstream(connection);
    const mend = () => Promise.resolve();
    const failures = new NatsFailures({ name: NAME, where: '', manager, client, isThere: true, mend, log });
    await failures.keep(delivery, 3);
    failures.look();
    expect(await failures.of(delivery)).toBe(3);
    await delivery.ack();
  });

  it.each([
    ['the rights', RIGHTS],
    ['the narrower rights', NARROWER],
  ])('are kept by a user with %s that the guide names', async (_, allowed) => {
    const rights = `publish: { allow: ${JSON.stringify(allowed)} }, subscribe: "_INBOX.>"`;
    await using server = await startNatsServer(withUser(rights));
    const log = new RecordingLog();
    await using queue = await open(server, log);
    await queue.publish(messages(1));
    await (await one(queue)).release(0, 3);
    const again = await one(queue);
    expect(again.failures).toBe(3);
    await again.bury('enough');
    expect(await queue.dead.get(again.id)).toMatchObject({ reason: 'enough' });
    expect(await queue.dead.replay(again.id)).toBe(1);
    await (await one(queue)).ack();
    expect(await queue.counts()).toMatchObject({ waiting: 0, inHand: 0, dead: 0 });
    expect(ofFailures(log)).toEqual([]);
  });

  it.each([
    ['the account may have no more streams', withStreams(2)],
    ['the rights do not go so far', withUser(NO_FAILURES)],
  ])('are left to each worker where %s, and it is said once what to grant', async (_, settings) => {
    await using server = await startNatsServer(settings);
    const log = new RecordingLog();
    await using queue = await open(server, log);
    expect(ofFailures(log)).toMatchObject([
      { message: expect.stringContaining(`${NAME}-failures`), fields: { queue: queue.where } },
    ]);
    await queue.publish(messages(20));
    const tries = new Map<string, number>();
    await until('all to be done', async () => {
      for (const delivery of await queue.receive()) {
        const count = (tries.get(delivery.id) ?? 0) + 1;
        tries.set(delivery.id, count);
        if (count < 3) await delivery.release(0, count);
        else if (Number(delivery.id.replace(/\D/g, '')) % 2 === 0) await delivery.ack();
        else await delivery.bury('enough');
      }
      return tries.size === 20 && [...tries.values()].every((count) => count >= 3);
    });
    expect(await queue.counts()).toMatchObject({ waiting: 0, inHand: 0 });
    expect(ofFailures(log)).toHaveLength(1);
    // Without the stream that lasts for the whole timeout of a request.
    expect(log.messages.filter((message) => message.includes("can't be read"))).toEqual([]);
  });

  it('end after --attempts also where one worker counts them for itself', async () => {
    await using server = await startNatsServer(withStreams(2));
    await using stage = await startWebhookStage();
    const script = await stage.script('exit 1');
    await stage.configure({ script, attempts: 2, queue: urlOf(server) });
    await using webhook = await stage.start();
    const body = cephRecord({ event: 'ObjectCreated:Put', bucket: 'photos', key: 'bad' });
    expect(await webhook.post(body)).toMatchObject({ status: 200 });
    await until('it to be dead', async () => (await stage.counts()).dead === 1);
    const { stderr, exitCode } = await webhook.process.stop('SIGTERM');
    expect(exitCode).toBe(0);
    expect(stderr.split(`the stream ${NAME}-failures can't be made`)).toHaveLength(2);
  });

  describe('where a worker could not read them', () => {
    const UNREADABLE = `publish: { deny: ["$JS.API.DIRECT.GET.${NAME}-failures.>"] }`;

    /** A message that has failed three times, and is in hand of one who could not read that. */
    async function unread() {
      const settings = withUser('');
      const server = await startNatsServer(settings);
      onTestFinished(async () => await server[Symbol.asyncDispose]());
      const restart = async (permissions: string): Promise<void> => {
        settings.splice(0, 1, ...withUser(permissions));
        await server.stop();
        await server.start();
      };
      {
        await using queue = await open(server, new RecordingLog());
        await queue.publish(messages(1));
        await (await one(queue)).release(0, 3);
      }
      await restart(UNREADABLE);
      const queue = await open(server, new RecordingLog());
      onTestFinished(async () => await queue[Symbol.asyncDispose]());
      const delivery = await one(queue);
      expect(delivery.failures).toBe(0);
      return { server, restart, queue, delivery };
    }

    it('are not made less by it', async () => {
      const { server, restart, queue, delivery } = await unread();
      await delivery.release(0, 1);
      await queue[Symbol.asyncDispose]();
      await restart('');
      await using next = await open(server, new RecordingLog());
      expect((await one(next)).failures).toBe(3);
    });

    it('grow as soon as it can', async () => {
      const { restart, queue, delivery } = await unread();
      await restart('');
      await until('the server to be there again', async () => {
        expect(await queue.receive()).toEqual([]);
        return queue.isReachable;
      });
      await delivery.release(0, 1);
      expect((await one(queue)).failures).toBe(4);
    });
  });

  it('do not keep a consumer from being made again where they can not be kept', async () => {
    await using server = await startNatsServer(withUser(NO_FAILURES));
    await using queue = await open(server, new RecordingLog());
    const connection = await connect({
      servers: new URL(server.url).host,
      user: 'worker',
      pass: 'word',
    });
    onTestFinished(async () => await connection.close());
    const manager = await jetstreamManager(connection);
    await manager.consumers.delete(NAME, 'worker');
    await queue.publish(messages(1));
    await (await one(queue)).ack();
    expect(await queue.counts()).toMatchObject({ waiting: 0, inHand: 0 });
  });

  it('are counted over all workers as soon as the stream for them can be made', async () => {
    await using server = await startNatsServer(withStreams(3));
    const connection = await connect({ servers: new URL(server.url).host, user: 'worker', pass: 'word' });
    onTestFinished(async () => await connection.close());
    const manager = await jetstreamManager(connection);
    await manager.streams.add({ name: 'other', subjects: ['other'] });
    const log = new RecordingLog();
    await using queue = await open(server, log);
    expect(ofFailures(log)).toHaveLength(1);
    await manager.streams.delete('other');
    await queue.publish(messages(1));
    await until('a count', async () => {
      const delivery = await one(queue);
      const { failures } = delivery;
      await (failures > 0 ? delivery.ack() : delivery.release(0, 1));
      return failures > 0;
    });
    expect(ofFailures(log)).toHaveLength(1);
  });
});
