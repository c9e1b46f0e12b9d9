import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { DeleteObjectCommand, PutObjectCommand, paginateListObjectsV2 } from '@aws-sdk/client-s3';
import { expect, test } from 'vitest';
import { postEvents } from '../../harness/ceph-events.ts';
import { type NatsServer, startNatsServer } from '../../harness/nats-server.ts';
import { until } from '../../harness/process.ts';
import { type RabbitServer, startRabbitServer } from '../../harness/rabbit-server.ts';
import { Random } from '../../harness/random.ts';
import { readBack } from '../../harness/s3-objects.ts';
import { withS3Server } from '../../harness/s3-server.ts';
import { lacks } from '../../harness/tools.ts';
import { startWebhookStage, type Webhook, type WebhookStage } from '../../harness/webhook-stage.ts';

/** Puts, overwrites and deletes. What it must stand is 10,000, with 20 kills, which take minutes. */
const CHANGES = Number(process.env['ISYNC_TEST_WEBHOOK_CHANGES'] ?? 300);
const SEED = Number(process.env['ISYNC_TEST_WEBHOOK_SEED'] ?? 20_261_126);
const KILLS = Number(process.env['ISYNC_TEST_WEBHOOK_KILLS'] ?? 8);
const RESTARTS = Math.ceil(KILLS / 4);
/** Changes under way at a time. */
const AT_ONCE = 8;
/** Objects whose bytes are compared too; of all others, ETag and size. */
const READ_BACK = 50;
/** From one kill to the next at the latest, in ms: most that waits may be in the hands of the one that was killed. */
const KILL_AFTER_MS = 3_000;
/** Longest wait until the copy is as the bucket: a killed worker's messages come again after 30 s. */
const SETTLE_MS = 400_000;

/** A queue, and a broker that has it. */
interface Place extends AsyncDisposable {
  /** Undefined for a file of the stage. */
  readonly url: string | undefined;
  readonly workers: number;
  /** Kills the broker, as a power cut would, and starts it again. */
  readonly restart: (() => Promise<void>) | undefined;
}

const PLACES: Readonly<Record<string, () => Promise<Place | string>>> = {
  'a file': async () => ({
    url: undefined,
    workers: 1,
    restart: undefined,
    [Symbol.asyncDispose]: async () => {},
  }),
  NATS: async () =>
    lacks('nats-server') ? 'nats-server is not installed' : atBroker(await startNatsServer()),
  RabbitMQ: async () =>
    lacks('rabbitmq-server') ? 'rabbitmq-server is not installed' : atBroker(await startRabbitServer()),
};

/** Each storm at a broker takes minutes: they are asked for by the number of changes. */
const STORMED = process.env['ISYNC_TEST_WEBHOOK_CHANGES'] === undefined ? ['a file'] : Object.keys(PLACES);

function atBroker(broker: NatsServer | RabbitServer): Place {
  return {
    url: broker.url,
    workers: 3,
    restart: async () => {
      await broker.kill();
      await broker.start();
    },
    [Symbol.asyncDispose]: async () => await broker[Symbol.asyncDispose](),
  };
}

/** A process that is started again whenever it was killed. */
class Killed {
  #before = 0;
  #stage: WebhookStage;
  #args: readonly string[];
  #current: Webhook | undefined;

  constructor(stage: WebhookStage, args: readonly string[]) {
    this.#stage = stage;
    this.#args = args;
  }

  async start(): Promise<void> {
    this.#current = await this.#stage.start(this.#args);
  }

  async kill(): Promise<void> {
    await this.#current?.process.kill();
    this.#before = this.worked;
    await this.start();
  }

  async stop(): Promise<number | null> {
    return (await this.#current?.process.stop('SIGTERM'))?.exitCode ?? null;
  }

  /** Events that its lives have worked on: the log has a line for each. */
  get worked(): number {
    const lines = this.#current?.process.stderr.match(/"msg":"(?:written|removed|unchanged|done)"/g);
    return this.#before + (lines?.length ?? 0);
  }

  get tail(): string {
    return this.#current?.process.tail() ?? '';
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#current?.[Symbol.asyncDispose]();
  }
}

await withS3Server((server) => {
  test.for(STORMED)(
    `${CHANGES} changes of a bucket end as its state in another by %s, with ${KILLS} kills`,
    async (name, { skip }) => {
      const place = await PLACES[name]!();
      if (typeof place === 'string') return skip(place);
      await using stack = new AsyncDisposableStack();
      stack.use(place);
      const stage = stack.use(await startWebhookStage(server.env));
      const [source, target] = [await server.makeBucket(), await server.makeBucket()];
      const port = await freePort();
      await stage.configure({
        ...(place.url !== undefined && { queue: place.url }),
        port,
        to: `s3://${target}`,
        // So that few are in hand at a kill.
        concurrency: 8,
        sourceEndpoint: server.endpoint,
        targetEndpoint: server.endpoint,
        buckets: [source],
      });
      const receiver = stack.use(new Killed(stage, ['--role', 'receive']));
      const workers = Array.from({ length: place.workers }, () =>
        stack.use(new Killed(stage, ['--role', 'work'])),
      );
      await Promise.all([receiver, ...workers].map(async (each) => await each.start()));
      await postEvents(server, source, {
        name: `storm-${port}`,
        url: `http://127.0.0.1:${port}/webhook`,
        isPersistent: true,
      });

      const random = new Random(SEED);
      const changing = change(source, random);
      for (let kill = 1; kill <= KILLS; kill++) {
        const latest = performance.now() + KILL_AFTER_MS;
        const isTime = () =>
          workedBy(workers) >= (kill * 0.8 * CHANGES) / KILLS || performance.now() > latest;
        await until(`the time of kill ${kill}`, isTime);
        await [receiver, ...workers][kill % (workers.length + 1)]!.kill();
        if (kill % Math.floor(KILLS / RESTARTS) === 0) await place.restart?.();
      }
      await changing;
      const settled = () =>
        until(
          'the copy to be as the bucket',
          async () => (await differences(source, target)).length === 0 && (await isEmpty(stage)),
          SETTLE_MS,
        ).catch(async (thrown: unknown) => {
          const told = [await differences(source, target), (await stage.run('queue')).stdout];
          throw new Error(`${JSON.stringify(told)}\n${workers.map(({ tail }) => tail).join('\n')}`, {
            cause: thrown,
          });
        });
      await settled();
      // Who was killed often has done less; left alone, each has its share.
      const before = workers.map(({ worked }) => worked);
      await change(source, random);
      await settled();
      const shares = workers.map(({ worked }, index) => worked - (before[index] ?? 0));
      const least = (workers.length > 1 ? 0.2 : 1) * shares.reduce((sum, share) => sum + share, 0);
      for (const [index, share] of shares.entries())
        expect(share, `${shares.join(', ')}: ${workers[index]?.tail}`).toBeGreaterThanOrEqual(least);
      const all = [...(await listed(source)).keys()];
      for (let count = 0; count < Math.min(READ_BACK, all.length); count++) {
        const key = random.pick(all);
        expect(await readBack(server, target, key)).toEqual(await readBack(server, source, key));
      }
      expect(await stage.counts()).toMatchObject({ waiting: 0, inHand: 0, dead: 0 });
      for (const each of [receiver, ...workers]) expect(await each.stop()).toBe(0);
      console.log(`${name}: ${before.join(', ')} events with kills, ${shares.join(', ')} without`);
    },
  );

  async function change(Bucket: string, random: Random): Promise<void> {
    let left = CHANGES;
    const work = async (): Promise<void> => {
      while (left-- > 0) {
        // A few keys change all the time, the many seldom.
        const index = Math.floor(random.below(CHANGES / 2) * (random.chance(0.8) ? 1 : 0.02));
        const Key = `f ${index % 17}/é+%41 ${index}.txt`;
        if (random.chance(0.3)) await server.client.send(new DeleteObjectCommand({ Bucket, Key }));
        else {
          const Body = Buffer.alloc(random.int(1, 6_000), `${left} ${index};`);
          await server.client.send(
            new PutObjectCommand({ Bucket, Key, Body, Metadata: { change: `${left}` } }),
          );
        }
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
  }

  /** ETag and size by key. */
  async function listed(Bucket: string): Promise<Map<string, string>> {
    const found = new Map<string, string>();
    for await (const { Contents = [] } of paginateListObjectsV2({ client: server.client }, { Bucket }))
      for (const { Key = '', ETag, Size } of Contents) found.set(Key, `${ETag} ${Size}`);
    return found;
  }

  async function differences(source: string, target: string): Promise<string[]> {
    const [here, there] = await Promise.all([listed(source), listed(target)]);
    return [...new Set([...here.keys(), ...there.keys()])].filter((key) => here.get(key) !== there.get(key));
  }
});

function workedBy(workers: readonly Killed[]): number {
  return workers.reduce((sum, { worked }) => sum + worked, 0);
}

async function isEmpty(stage: WebhookStage): Promise<boolean> {
  const { waiting, inHand } = await stage.counts();
  return waiting + inHand === 0;
}

/** Free a moment ago. */
async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as AddressInfo;
  probe.close();
  await once(probe, 'close');
  return port;
}
